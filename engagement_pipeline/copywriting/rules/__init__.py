"""The rules of the validator, by what they protect: form, language, claims and privacy."""
