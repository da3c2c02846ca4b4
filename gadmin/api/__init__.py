"""The REST interface below /api/v1: one blueprint per noun, errors as problem documents (RFC 9457)."""
