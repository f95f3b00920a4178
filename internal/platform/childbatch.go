package platform

import (
	"fmt"
	"strings"
)

// batchLine is the command line that has cmd.exe run a batch file with exactly
// these arguments: no variable of theirs is expanded and no operator of theirs
// is obeyed (CVE-2024-24576). What cannot be passed on is refused.
func batchLine(path string, args []string) (string, error) {
	if strings.ContainsAny(path, "\"%\r\n\x00") {
		return "", fmt.Errorf("the batch file's path %q has a character that cmd.exe cannot take", path)
	}
	var b strings.Builder
	b.WriteString(`cmd.exe /e:ON /v:OFF /d /c ""` + path + `"`)
	for _, a := range args {
		if strings.ContainsAny(a, "%\r\n\x00") {
			return "", fmt.Errorf("the argument %q has a character that a batch file cannot take: give the program behind it as the command", a)
		}
		b.WriteString(` "`)
		writeBatchArg(&b, a)
		b.WriteByte('"')
	}
	b.WriteByte('"')
	return b.String(), nil
}

// writeBatchArg writes one argument for the inside of quotes. A quote is
// doubled and backslashes before one too, as the C runtime of the program
// behind the batch file reads them. A percent sign, which would open a variable
// even inside quotes, does not get here.
func writeBatchArg(b *strings.Builder, a string) {
	slashes := 0
	for i := range len(a) {
		switch a[i] {
		case '\\':
			slashes++
		case '"':
			b.WriteString(strings.Repeat(`\`, slashes) + `"`)
			slashes = 0
		default:
			slashes = 0
		}
		b.WriteByte(a[i])
	}
	b.WriteString(strings.Repeat(`\`, slashes))
}
