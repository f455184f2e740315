"""A small portal on Django: sessions, CSRF, languages, messages, log-in.

Run as `python3 portal.py PORT [SETTINGS]`; SETTINGS are further ones of Django's, as JSON. Its data
lives in a folder that is removed when it ends.
"""

import json
import os
import sys
import tempfile

import django
from django.conf import settings

PAGE = """<!DOCTYPE html>{% load i18n %}{% get_current_language as language %}
<html lang="{{ language }}"><meta charset="utf-8"><title>{% block title %}Home{% endblock %}</title>
<h1>Home</h1>
{% for message in messages %}<p id="message">{{ message }}</p>{% endfor %}
<p id="user">{{ user.username|default:"nobody" }}</p>
<p id="received">{{ request.META.HTTP_COOKIE }}</p>
<p id="visits">{{ request.session.visits }}</p>
<form id="login" method="post" action="/login/">{% csrf_token %}
<input name="username"><input name="password" type="password"><button>Log in</button></form>
<form id="language" method="post" action="/i18n/setlang/">{% csrf_token %}
<input name="next" type="hidden" value="/"><button name="language" value="fr">fr</button><button name="language" value="en">en</button></form>
<a id="logout" href="/logout/">Log out</a>
<img src="/measure/" alt="">
<a id="charter" href="/terms/cookies-policy/">Cookies</a>
</html>"""

FOLDER = tempfile.TemporaryDirectory()

FURTHER = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
TRUSTED = FURTHER.get("CSRF_TRUSTED_ORIGINS", [])
if django.VERSION < (4, 0):
    # Then these were hosts.
    FURTHER["CSRF_TRUSTED_ORIGINS"] = [origin.split("://")[1] for origin in TRUSTED]

settings.configure(
    SECRET_KEY="only for tests",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    USE_I18N=True,
    LANGUAGE_CODE="en",
    LANGUAGES=[("en", "English"), ("fr", "Français")],
    LOGIN_REDIRECT_URL="/",
    MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(FOLDER.name, "portal.sqlite3")}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        f"{__name__}.receive",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [("django.template.loaders.locmem.Loader", {"page.html": PAGE})],
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ],
            },
        }
    ],
    **FURTHER,
)
django.setup()

# What follows needs the settings.
from django.contrib import messages  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.views import LoginView, LogoutView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402


def receive(get_response):
    """Takes the whole request before anything answers, as servers in front of applications do.

    Django's own server waits for what an answer has left of it, which a client over HTTP/2 has
    stopped sending once it saw a refusal.
    """

    def respond(request):
        request.body  # reads it
        return get_response(request)

    return respond


class Login(LoginView):
    def form_valid(self, form):
        messages.success(self.request, f"Welcome, {form.get_user()}")
        return super().form_valid(form)


def home(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return render(request, "page.html")


def measure(_request):
    """Sets what the portal's owner has declared, and what nobody has."""
    response = HttpResponse("<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml")
    for name in ("_pk_id.1.1fff", "_ga", "AWSALB", "shadow"):
        response.set_cookie(name, "1", max_age=3600, samesite="Lax")
    return response


def origin(request):
    """Tells whether Django 4 and later would take a form: by Origin, which those before do not look at."""
    own = f"{request.scheme}://{request.get_host()}"
    return HttpResponse(str(request.META.get("HTTP_ORIGIN") in [own, *TRUSTED]))


def script(_request):
    """Sets a tracker on the parent domain, as a tracker's own script does."""
    return HttpResponse("<script>document.cookie = '_pk_id.1.1fff=1; domain=city.example; path=/; max-age=3600'</script>")


urlpatterns = [
    path("", home),
    path("measure/", measure),
    path("origin/", csrf_exempt(origin)),
    path("script/", script),
    path("login/", Login.as_view(template_name="page.html")),
    path("logout/", LogoutView.as_view(next_page="/")),
    path("i18n/", include("django.conf.urls.i18n")),
]

if __name__ == "__main__":
    with FOLDER:
        call_command("migrate", verbosity=0)
        User.objects.create_user("alice", password="wonderland")
        call_command("runserver", f"127.0.0.1:{sys.argv[1]}", use_reloader=False)
