package platform

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFoldersFollowTheSystem(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the table is written with slashes")
	}
	for _, c := range []struct {
		name, system, home string
		env                map[string]string
		config, state      string
	}{
		{"linux", "linux", "/home/u", nil, "/home/u/.config/drawbridge", "/home/u/.local/state/drawbridge"},
		{"linux with XDG", "linux", "/home/u", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/drawbridge", "/s/drawbridge"},
		{"one XDG variable", "linux", "/home/u", map[string]string{"XDG_STATE_HOME": "/s"}, "/home/u/.config/drawbridge", "/s/drawbridge"},
		{"relative XDG is ignored", "linux", "/home/u", map[string]string{"XDG_CONFIG_HOME": "c"}, "/home/u/.config/drawbridge", "/home/u/.local/state/drawbridge"},
		{"HOME is not asked", "linux", "/home/u", map[string]string{"HOME": "/elsewhere"}, "/home/u/.config/drawbridge", "/home/u/.local/state/drawbridge"},
		{"XDG without a home", "linux", "", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/drawbridge", "/s/drawbridge"},
		{"override", "linux", "/home/u", map[string]string{"DRAWBRIDGE_HOME": "/x", "XDG_CONFIG_HOME": "/c"}, "/x", "/x"},
		{"override without a home", "darwin", "", map[string]string{"DRAWBRIDGE_HOME": "/x"}, "/x", "/x"},
		{"macOS", "darwin", "/Users/u", map[string]string{"XDG_CONFIG_HOME": "/c"}, "/Users/u/.drawbridge", "/Users/u/.drawbridge"},
		{"windows", "windows", "/u", nil, "/u/.drawbridge", "/u/.drawbridge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := layout{c.system, func(k string) string { return c.env[k] }, func() string { return c.home }}
			got, err := l.dirs()
			if want := (Dirs{c.config, c.state}); err != nil || got != want {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		})
	}
}

func TestNoHomeIsSaidAndNotGuessed(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		l := layout{system, func(string) string { return "" }, func() string { return "relative" }}
		if got, err := l.dirs(); err == nil {
			t.Errorf("%s: got %v, want an error", system, got)
		}
	}
}

func TestARelativeOverrideBecomesAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv(HomeVariable, "mine")
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got, err := OurDirs()
	if want := filepath.Join(wd, "mine"); err != nil || got.Config != want || got.State != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	if _, err := os.Stat(got.Config); !os.IsNotExist(err) {
		t.Errorf("asking for the folders made one: %v", err)
	}
}

func TestFoldersAreThereWithoutAnEnvironment(t *testing.T) {
	for _, k := range []string{HomeVariable, "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "USERPROFILE"} {
		t.Setenv(k, "")
	}
	got, err := OurDirs()
	if err != nil || !filepath.IsAbs(got.Config) || !filepath.IsAbs(got.State) {
		t.Errorf("got %v, %v; want absolute folders", got, err)
	}
}

func TestAMadeFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		st, err := os.Stat(d)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, want 0700", d, st.Mode().Perm())
		}
	}
}
