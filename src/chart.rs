//! Charts: a specification and a frame in, accessible SVG out.
