package platform

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// systemNames are passed on Windows only.
var systemNames = []string{
	"SystemRoot", "SystemDrive", "WINDIR", "ComSpec", "PATHEXT", "OS",
	"APPDATA", "LOCALAPPDATA", "ProgramData", "ALLUSERSPROFILE", "PUBLIC",
	"ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "CommonProgramFiles", "CommonProgramFiles(x86)", "CommonProgramW6432",
	"USERPROFILE", "HOMEDRIVE", "HOMEPATH", "USERNAME", "USERDOMAIN", "COMPUTERNAME", "SESSIONNAME",
	"NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "PROCESSOR_ARCHITEW6432", "PROCESSOR_IDENTIFIER", "PROCESSOR_LEVEL", "PROCESSOR_REVISION",
	"HOME", "PSModulePath",
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// addAccount gives what programs cannot do without and clients strip.
func addAccount(vars map[string]string) {
	add := func(name, value string, err error) {
		if old, _ := lookup(vars, name); old == "" && err == nil && value != "" {
			set(vars, name, value)
		}
	}
	root, err := windows.GetWindowsDirectory()
	add("SystemRoot", root, err)
	add("WINDIR", root, err)
	system, err := windows.GetSystemDirectory()
	add("ComSpec", filepath.Join(system, "cmd.exe"), err)
	add("SystemDrive", filepath.VolumeName(root), err)
	add("PATHEXT", defaultPathExt, nil)
	for name, id := range map[string]*windows.KNOWNFOLDERID{
		"USERPROFILE": windows.FOLDERID_Profile, "APPDATA": windows.FOLDERID_RoamingAppData,
		"LOCALAPPDATA": windows.FOLDERID_LocalAppData, "ProgramData": windows.FOLDERID_ProgramData,
		"ProgramFiles": windows.FOLDERID_ProgramFiles,
	} {
		folder, err := windows.KnownFolderPath(id, 0)
		add(name, folder, err)
	}
	add("TEMP", os.TempDir(), nil)
	add("TMP", os.TempDir(), nil)
}

// wellKnown are the folders that installers use and stripped PATHs lack.
func wellKnown() []string {
	var list []string
	add := func(id *windows.KNOWNFOLDERID, below string) {
		if folder, err := windows.KnownFolderPath(id, 0); err == nil {
			list = append(list, filepath.Join(folder, below))
		}
	}
	add(windows.FOLDERID_ProgramFiles, "nodejs")
	add(windows.FOLDERID_RoamingAppData, "npm")
	add(windows.FOLDERID_Profile, `.local\bin`)
	add(windows.FOLDERID_Profile, `.cargo\bin`)
	add(windows.FOLDERID_LocalAppData, `Microsoft\WindowsApps`)
	add(windows.FOLDERID_System, "")
	add(windows.FOLDERID_Windows, "")
	return list
}
