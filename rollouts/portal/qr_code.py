"""A QR code within the page: no address that others could ask for, and no style that the policy refuses."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe

#: Light modules around it (ISO/IEC 18004); cameras find it by them, so it is dark on light in either theme.
QUIET = 4


def picture(text: str) -> SafeString:
    import segno

    code = segno.make(text, error="m", micro=False)
    return mark_safe(code.svg_inline(border=QUIET, omitsize=True, dark="black", light="white"))  # noqa: S308 - paths only
