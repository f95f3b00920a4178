package platform

import (
	"errors"

	"golang.org/x/sys/windows/registry"
)

// captureLoginPath reads what a new session would get: the machine's PATH, then
// the user's.
func captureLoginPath() string {
	machine, err := registryPath(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Session Manager\Environment`)
	user, err2 := registryPath(registry.CURRENT_USER, "Environment")
	if errors.Join(err, err2) != nil && machine+user == "" {
		return ""
	}
	return joinPath(merge(folders(machine), folders(user)))
}

func registryPath(root registry.Key, name string) (string, error) {
	k, err := registry.OpenKey(root, name, registry.QUERY_VALUE)
	if err != nil {
		return "", err
	}
	defer k.Close()
	value, _, err := k.GetStringValue("Path")
	if err != nil {
		return "", err
	}
	return registry.ExpandString(value)
}
