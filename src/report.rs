//! Reports: definition, run, document, formats.
