package answers

import (
	"errors"

	"github.com/cookie-charter/cookie_charter/internal/charter"
	"github.com/cookie-charter/cookie_charter/internal/setcookie"
)

// A storageFormat is a way in which a consent banner stores the visitor's
// answers.
type storageFormat struct {
	// Cookies are the usual names of those that hold the answers, or prefixes that end
	// in "*"; nil if there is no usual name.
	Cookies charter.Names

	// What the cookie is called, for who has not named it, where a part of its name is the
	// portal's own.
	namedAs string

	// Other cookies that prove looks at, if Cookies does not name them.
	proofs []string

	// prove returns what the other cookies of a request say of the answers, for read.
	// nil: they say nothing.
	prove func(setcookie.Lines) proof

	// Whether answers are to consent keys alone: nobody answers to a category.
	asksEachKey bool

	// Whether the cookies' names say what is in them, so that there are no others.
	hasNames bool

	// Whether answers are to one revision of the banner's texts.
	hasRevision bool

	// Whether the banner stores `true` unasked where it thinks that no consent
	// is needed: for an exempt row, that is no answer.
	grantsUnasked bool

	// What the banner has to be set to, as nothing in its cookies tells an answer from
	// what it takes for one; "" if something does.
	settings string

	// read returns what one cookie says, or an error if that cannot be read. It
	// never sees more than MaxPreference bytes.
	read func(cookie Cookie) (reading, error)

	// write returns the value that holds what the charter page stores. nil: the
	// format is the banner's alone to write.
	write func(writing) string
}

// Formats are all formats by their names, as Config.Format has them. Many banners write their cookie before any
// answer, so each has its own proof that there was one.
var Formats = map[string]storageFormat{
	CharterFormat:           {Cookies: []string{PlainCookie, HostCookie}, asksEachKey: true, read: readCharterFormat, write: writeCharterFormat},
	"opendatasoft":          {Cookies: []string{"cookies_preferences"}, asksEachKey: true, read: readWrittenMap, write: writeMap},
	"json":                  {read: readJSON, write: writeMapAsStored},
	"orejime":               {Cookies: []string{"eu-consent", "orejime"}, read: readMap},
	"klaro":                 {Cookies: []string{"klaro"}, read: readMap},
	"tarteaucitron":         {Cookies: []string{"tarteaucitron"}, grantsUnasked: true, settings: "serviceDefaultState 'wait', highPrivacy and alwaysNeedConsent true, no bypass", read: readTarteaucitron},
	"cookieconsent":         {Cookies: []string{"cc_cookie"}, hasRevision: true, read: readCookieConsent},
	"cookieconsent2":        {Cookies: []string{"cc_cookie"}, hasRevision: true, read: layout{granted: []string{"categories", "level"}, hasRevision: true}.read},
	"govuk":                 {Cookies: []string{"cookies_policy"}, proofs: []string{"cookies_preferences_set"}, prove: proofByCookie("cookies_preferences_set", "true"), read: ifProven(readMap)},
	"nhsuk":                 {Cookies: []string{"nhsuk-cookie-consent"}, read: layout{words: []string{"*"}, vocabulary: booleans, proofs: []evidence{isTrue("consented")}}.read},
	"django_cookie_consent": {Cookies: []string{"cookie_consent"}, read: readDjangoCookieConsent},
	"drupal":                {Cookies: []string{"cookie-agreed"}, proofs: []string{"cookie-agreed-categories"}, prove: proveDrupal, read: readDrupal},
	"complianz":             {Cookies: []string{"cmplz_*"}, hasNames: true, prove: proofByCookie("cmplz_banner-status", "dismissed"), read: ifProven(readCategory("cmplz_", vocabulary{"allow": Granted, "deny": Refused}))},
	"cookiebot":             {Cookies: []string{"CookieConsent"}, read: readCookiebot},
	"onetrust":              {Cookies: []string{"OptanonConsent"}, proofs: []string{"OptanonAlertBoxClosed"}, prove: proofByCookie("OptanonAlertBoxClosed", ""), read: readOneTrust},
	"axeptio":               {Cookies: []string{"axeptio_cookies"}, read: layout{words: []string{"*"}, vocabulary: booleans, proofs: []evidence{isTrue("$$completed")}}.read},
	"didomi":                {Cookies: []string{"didomi_token"}, read: layout{granted: []string{"purposes.enabled", "vendors.enabled"}, refused: []string{"purposes.disabled", "vendors.disabled"}}.read},
	"c15t":                  {Cookies: []string{"c15t"}, read: readC15t},
	"osano":                 {Cookies: []string{"cookieconsent_status"}, read: readWord(vocabulary{"allow": Granted, "deny": Refused, "dismiss": None})},
	"tcf":                   {Cookies: []string{"euconsent-v2"}, read: readTCF},
	"matomo":                {Cookies: []string{"mtm_consent", "mtm_cookie_consent", "mtm_consent_removed"}, hasNames: true, read: readMatomo},
	"cookieyes":             {Cookies: []string{"cookieyes-consent"}, read: readCookieYes},
	"symfony":               {Cookies: []string{"Cookie_Category_*"}, hasNames: true, proofs: []string{"Cookie_Consent"}, prove: proofByCookie("Cookie_Consent", ""), read: ifProven(readCategory("Cookie_Category_", vocabulary{"true": Granted, "false": Refused}))},
	"borlabs":               {Cookies: []string{"borlabs-cookie"}, read: layout{granted: []string{"consents.*"}}.read},
	"cck":                   {Cookies: []string{"cck1"}, read: layout{words: []string{"all1st"}, vocabulary: booleans, proofs: []evidence{isTrue("cm")}}.read},
	"civic":                 {Cookies: []string{"CookieControl"}, read: layout{words: []string{"optionalCookies.*"}, vocabulary: vocabulary{`"accepted"`: Granted, `"revoked"`: Refused}, proofs: []evidence{isTrue("interactedWith")}}.read},
	"commanders_act":        {Cookies: []string{"TC_PRIVACY"}, settings: "opt-out by default, going on browsing no consent", read: readCommandersAct},
	"cookie_information":    {Cookies: []string{"CookieInformationConsent"}, read: layout{granted: []string{"consents_approved"}, refused: []string{"consents_denied"}}.read},
	"cookie_notice":         {Cookies: []string{"cookie_notice_accepted"}, settings: "scrolling and clicking elsewhere no consent", read: readWord(vocabulary{"true": Granted, "false": Refused})},
	"cookiesjsr":            {Cookies: []string{"cookiesjsr"}, read: readMap},
	"iubenda":               {namedAs: "_iub_cs-<site>", settings: "consentOnContinuedBrowsing false", read: layout{words: []string{"purposes.*", "consent"}, all: "consent", vocabulary: booleans, proofs: []evidence{{path: "timestamp"}}}.read},
	"moove":                 {Cookies: []string{"moove_gdpr_popup"}, settings: "no category on by default, scrolling no consent", read: layout{words: []string{"*"}, vocabulary: digits}.read},
	"piwik_pro":             {namedAs: "ppms_privacy_<site>", read: layout{words: []string{"consents.*.status"}, vocabulary: digits}.read},
	"wp_consent":            {Cookies: []string{"wp_consent_*"}, hasNames: true, settings: "consent type optin for all visitors", read: readCategory("wp_consent_", vocabulary{"allow": Granted, "deny": Refused})},
}

var (
	errUnreadable = errors.New("unreadable")
	errOversized  = errors.New("too long")

	// errContradictory is an error inside of readers, which then return contradiction.
	errContradictory = errors.New("contradictory")
)
