package clientconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/splice"
)

// The reasons of refusals besides those of package splice.
const (
	NotRegular      splice.Reason = "not_a_regular_file"
	DanglingSymlink splice.Reason = "dangling_symlink"
	NoFolder        splice.Reason = "no_folder"
	ReadOnly        splice.Reason = "read_only"
	NotOwner        splice.Reason = "not_owner"
	Denied          splice.Reason = "denied"
	NameTaken       splice.Reason = "name_taken"
	ChangedTooOften splice.Reason = "changed_too_often"
	SharedFile      splice.Reason = "shared_file" // hard-linked, or a mount of its own
)

// Reason is the word for why a file was refused, "" for other errors.
func Reason(err error) splice.Reason {
	var e *splice.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

var (
	errNotRegular = errors.New("it is not a regular file")
	errTooLarge   = fmt.Errorf("it is larger than %d MiB", splice.MaxBytes>>20)
)

// refuse says what is so about the file at path.
func refuse(code fault.Code, path string, why splice.Reason, text string) *fault.Error {
	e := fault.New(code, path).With("%s", text)
	e.Err = &splice.Error{Reason: why, Detail: text}
	return e
}

// because adds the system's error to a refusal.
func because(e *fault.Error, err error) *fault.Error {
	e.Err, e.Detail = errors.Join(e.Err, err), err.Error()
	return e
}

// unreadable is about a file that could not be looked at or read.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return refuse(fault.ClientConfigTooLarge, path, splice.TooLarge, err.Error())
	case errors.Is(err, syscall.ELOOP):
		return because(refuse(fault.ClientConfigNotAFile, path, DanglingSymlink, "its folder is a link that leads to itself"), err)
	case errors.Is(err, errNotRegular), errors.Is(err, syscall.ENOTDIR):
		return refuse(fault.ClientConfigNotAFile, path, NotRegular, err.Error())
	default:
		return notLet(path, err)
	}
}

// notLet is for a system that does not let us: for reading every lack of
// permission, for writing the one that no mode explains (app-data protection of
// macOS, an immutable file).
func notLet(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return because(refuse(fault.ClientConfigDenied, path, Denied, "the system does not let Drawbridge open this file"), err)
	}
	return fault.New(fault.ClientConfigWrite, path).With("the file could not be read").Step("repeat; if it stays, look at the disk").Because(err)
}

// unwritable is about a file that could not be written.
func unwritable(path string, err error) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		return notLet(path, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e := refuse(fault.ClientConfigReadonly, path, ReadOnly, "the file or its folder is read-only")
		if nixStore(path) {
			e.With("the file is managed by Nix (home-manager)").Step("change it in your Nix configuration")
		}
		return because(e, err)
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EXDEV):
		return because(sharedFile(path, "the file is a mount of its own"), err)
	case errors.Is(err, platform.ErrChanged):
		return changedMeanwhile(path, "the file was changed by another program meanwhile")
	default:
		return fault.New(fault.ClientConfigWrite, path).Because(err)
	}
}

// nixStore tells whether a file is one that Nix made from a description.
func nixStore(path string) bool { return strings.HasPrefix(filepath.ToSlash(path), "/nix/store/") }

func sharedFile(path, text string) *fault.Error {
	return refuse(fault.ClientConfigShared, path, SharedFile, text)
}

func changedMeanwhile(path, text string) *fault.Error {
	return refuse(fault.ClientConfigChanged, path, ChangedTooOften, text)
}

// refused makes the fault of a document that cannot be changed.
func refused(path string, err error) error {
	var e *splice.Error
	if !errors.As(err, &e) {
		return err
	}
	at, where := path, ""
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", path, e.Line, e.Column)
		where = fmt.Sprintf(" in line %d, column %d", e.Line, e.Column)
	}
	var code fault.Code
	switch e.Reason {
	case splice.UnsupportedLayout, splice.AnchorInUse:
		code = fault.ClientConfigUnsupported
	case splice.TooLarge, splice.TooDeep:
		code = fault.ClientConfigTooLarge
	case splice.InvalidEncoding, splice.InvalidSyntax, splice.NotAccepted, splice.DuplicateKey, splice.WrongType, splice.MultipleDocuments:
		code = fault.ClientConfigInvalid
	default:
		return fmt.Errorf("%s: %w", path, err)
	}
	f := fault.New(code, at)
	if code == fault.ClientConfigInvalid && where != "" {
		f.With("the file has an error%s", where).Step("correct that line in the file, then repeat")
	}
	f.Err, f.Detail = err, e.Detail
	return f
}
