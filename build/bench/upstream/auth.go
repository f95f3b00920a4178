package main

import (
	"encoding/json"
	"net/http"
)

// authRoutes are an endpoint that wants a sign-in and enough of an
// authorization server for a bridge to find it and register. Nobody signs in:
// the scenarios ask what a bridge says while that is so.
func (a *app) authRoutes(mux *http.ServeMux, base string) {
	inner := a.streamable(variant{})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer good" {
			inner(w, r)
			return
		}
		a.srv.C.Unauth.Add(1)
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+base+`/.well-known/oauth-protected-resource/auth"`)
		http.Error(w, `{"error":"unauthorized"}`, http.StatusUnauthorized)
	})
	mux.HandleFunc("/auth401", func(w http.ResponseWriter, _ *http.Request) {
		a.srv.C.Unauth.Add(1)
		http.Error(w, "unauthorized", http.StatusUnauthorized)
	})
	resource := map[string]any{"resource": base + "/auth", "authorization_servers": []string{base}, "scopes_supported": []string{"mcp"}}
	mux.HandleFunc("/.well-known/oauth-protected-resource", document(http.StatusOK, resource))
	mux.HandleFunc("/.well-known/oauth-protected-resource/auth", document(http.StatusOK, resource))
	mux.HandleFunc("/.well-known/oauth-authorization-server", document(http.StatusOK, map[string]any{
		"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
		"registration_endpoint": base + "/register", "response_types_supported": []string{"code"},
		"grant_types_supported":            []string{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"none"},
		"scopes_supported": []string{"mcp"}, "authorization_response_iss_parameter_supported": true,
	}))
	mux.HandleFunc("POST /register", register)
}

func register(w http.ResponseWriter, r *http.Request) {
	var m map[string]any
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		document(http.StatusBadRequest, map[string]any{"error": "invalid_client_metadata"})(w, r)
		return
	}
	m["client_id"] = "bench-client"
	document(http.StatusCreated, m)(w, r)
}

func document(status int, v map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client may have left
	}
}
