//! Who asks: principals, roles, scopes, passwords, tokens, sessions.
