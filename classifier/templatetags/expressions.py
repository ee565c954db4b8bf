"""How templates draw icons and write percentages."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from classifier.models import Label, LabelSet

register = template.Library()

# Label sets are data: a label without a drawing of its own gets the plain head.
DRAWN = frozenset({"happy", "sad", "angry", "fear", "disgust", "surprise", "neutral", "unsure", "no-face"})


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """The symbol `name` of static/icons.svg, hidden from screen readers: words stand beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css,
        static("icons.svg"),
        name,
    )


@register.simple_tag
def glyph(slug: str, css: str = "") -> SafeString:
    """The face drawn for an expression's slug."""
    return icon(slug if slug in DRAWN else "other", f"glyph {css}".strip())


@register.filter
def in_prose(label: Label, label_set: LabelSet) -> str:
    """The label in the middle of a sentence: an expression begins small there, a person's name does not."""
    return label.name if label_set.names_people else label.name.lower()


@register.filter
def percent(probability: float) -> str:
    """0.634 as 63%. What is neither nothing nor everything is never rounded to it."""
    if 0 < probability < 0.005:
        return "<1%"
    if 0.995 <= probability < 1:
        return ">99%"
    return f"{probability:.0%}"


@register.filter
def exact_percent(share: float) -> str:
    """0.7042 as 70.4%: a figure that was measured on thousands of faces."""
    return f"{share:.1%}"


@register.filter
def grouped(number: int) -> str:
    """3589 as 3,589."""
    return f"{number:,}"


@register.filter
def bar_width(probability: float) -> str:
    """A width for an SVG attribute, whatever the language's decimal sign."""
    return f"{100 * min(max(probability, 0.0), 1.0):.1f}%"
