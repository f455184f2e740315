package charter

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pageUnits maps the words of the page's other languages to the unit that is meant.
// Charter files do not have them.
var pageUnits = unitsByWord(map[string]string{
	"second": "ثانية ثوانٍ ثوان segon segons sekunde sekunden segundo segundos secondo secondi seconden sekund sekunder",
	"minute": "دقيقة دقائق minut minuts minuten minuto minutos minutu minuti minuut minuter",
	"hour":   "ساعة ساعات hora hores stunde stunden horas ordu ora ore uur uren timme timmar",
	"day":    "يوم يومًا يوما أيام dia dies tag tage tagen día días dias egun giorno giorni dag dagen dagar",
	"week":   "أسبوع أسبوعًا أسبوعا أسابيع setmana setmanes woche wochen semana semanas aste settimana settimane weken vecka veckor",
	"month":  "شهر شهرًا شهرا أشهر شهور mes mesos monat monate monaten meses hilabete mese mesi maand maanden mês månad månader",
	"year":   "سنة سنوات عام عامًا أعوام any anys jahr jahre jahren año años urte anno anni jaar jaren ano anos år",
})

// pageDurations are durations that have no number.
var pageDurations = map[string]Duration{
	"ثانية واحدة": {1, "second"}, "ثانيتان": {2, "second"}, "دقيقة واحدة": {1, "minute"}, "دقيقتان": {2, "minute"},
	"ساعة واحدة": {1, "hour"}, "ساعتان": {2, "hour"}, "يوم واحد": {1, "day"}, "يومان": {2, "day"},
	"أسبوع واحد": {1, "week"}, "أسبوعان": {2, "week"}, "شهر واحد": {1, "month"}, "شهران": {2, "month"},
	"سنة واحدة": {1, "year"}, "سنتان": {2, "year"},
}

// pageSessions are what people write for the end of the browser's session in the
// page's other languages.
var pageSessions = []string{"sessió", "sitzung", "sesión", "saioa", "sessione", "sessie", "sessão", "الجلسة"}

func unitsByWord(words map[string]string) map[string]string {
	units := map[string]string{}
	for unit, all := range words {
		for word := range strings.FieldsSeq(all) {
			units[word] = unit
		}
	}
	return units
}

var (
	sessionInText = regexp.MustCompile(`(?i)session|sessi[óe]|sessão|sesión|sitzung|saioa|الجلسة|fermeture du navigateur|browser is closed`)

	// durationInText is what can be a duration among other words: parts that follow each
	// other are one. A number with a decimal fraction is found so that its end is not read.
	durationInText = regexp.MustCompile(`(?:\d+[.,])*\d+\s*[\pL\pM]+(?:\s+(?:(?:et|and|und|y|i|e|en|och|eta)\s+|و\s*)?\d+\s*[\pL\pM]+)*`)
	durationPart   = regexp.MustCompile(`(\d+)\s*([\pL\pM]+)`)
	unitFirst      = regexp.MustCompile(`^([\pL\pM]+) (\d+)$`) // as "urte 1" is in Basque
)

// FindDuration returns the last duration that a text speaks of, as charter files can have
// it, Session if it speaks of that, "" if of none. Several parts are one: "1 an 1 mois" is
// 13 months. It is certain if the text says nothing else.
func FindDuration(text string) (found string, isCertain bool) {
	if parsed, err := ParseDuration(text); err == nil {
		if parsed.Unit == Session {
			return Session, true
		}
		return strings.TrimSuffix(strings.TrimSpace(text), "."), true
	}
	text = strings.TrimSuffix(strings.Join(strings.Fields(strings.ToLower(text)), " "), ".")
	if duration, ok := pageDurations[text]; ok {
		return duration.String(), true
	}
	if parts := unitFirst.FindStringSubmatch(text); parts != nil {
		if duration, ok := partDuration(parts[2], parts[1]); ok {
			return duration.String(), true
		}
	}
	if sessionInText.MatchString(text) {
		return Session, slices.Contains(pageSessions, text)
	}
	for _, run := range durationInText.FindAllString(text, -1) {
		if duration, isExact := sumDurations(run); duration != "" {
			found, isCertain = duration, isExact && run == text
		}
	}
	return found, isCertain
}

// partDuration reads a number and a unit in any language of the page.
func partDuration(number, unit string) (Duration, bool) {
	if duration, err := ParseDuration(number + " " + unit); err == nil && duration.Unit != Session {
		return duration, true
	}
	count, err := strconv.Atoi(number)
	duration := Duration{count, pageUnits[unit]}
	return duration, err == nil && duration.Unit != "" && count >= 1 && count <= 9999
}

// sumDurations returns the sum of the parts that follow each other, "" if there is none,
// and whether it is exactly that. Parts whose units do not get smaller are no sum: the
// last one counts.
func sumDurations(run string) (sum string, isExact bool) {
	parts := durationPart.FindAllStringSubmatch(run, -1)
	isExact = !strings.ContainsAny(run, ".,")
	if !isExact {
		parts = parts[1:] // its number has a fraction
	}
	var last Duration
	written, seconds, count := "", 0, 0
	for _, part := range parts {
		duration, ok := partDuration(part[1], part[2])
		if !ok {
			isExact = false
			continue
		}
		if count > 0 && SecondsPer(duration.Unit) >= SecondsPer(last.Unit) {
			seconds, isExact = 0, false
		}
		last, written = duration, part[0]
		seconds += duration.Seconds()
		count++
	}
	if count == 0 {
		return "", false
	}
	if seconds == last.Seconds() { // as it is written, where a charter file can have that
		if _, err := ParseDuration(written); err == nil {
			return written, isExact
		}
		return last.String(), isExact
	}
	whole := DurationOf(seconds)
	return whole.String(), isExact && whole.Seconds() == seconds
}
