"""Header fields as people write them into a box: one per line. Pure."""


def header_fields(text: str) -> list[tuple[str, str]]:
    """Return the fields as (name, value). Raises ValueError for a line that is none."""
    found = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if line.strip():
            if not colon or not name.strip():
                raise ValueError(f"{line}: a header field is 'Name: value'")
            found.append((name.strip(), value.strip()))
    return found
