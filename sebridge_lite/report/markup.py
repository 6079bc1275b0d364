"""HTML and SVG as trees, so that text from data is text wherever it lands; ElementTree writes them out.

Left out: a template language; the page's fixed parts are an HTML file with places in it.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring


def tag(name: str, *children: Element | str | None, **attributes: object) -> Element:
    """`tag("p", "a ", tag("b", "c"), class_="d")`; None is left out, `_` in a name is `-`, and ends one that Python keeps."""
    element = Element(name)
    for key, value in attributes.items():
        if value is not None:
            element.set(key.rstrip("_").replace("_", "-"), str(value))
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif child and len(element):
            element[-1].tail = (element[-1].tail or "") + child
        elif child:
            element.text = (element.text or "") + child
    return element


def written(*elements: Element | None) -> str:
    return "\n".join(tostring(element, "unicode", method="html") for element in elements if element is not None)


def table(columns: Sequence[str], rows: Sequence[Sequence[Element | str]], caption: str) -> Element:
    """In a frame that scrolls by itself, so that a wide one does not widen the page; the first cell names its row."""
    head = tag("thead", tag("tr", *(tag("th", column, scope="col") for column in columns)))
    body = tag("tbody")
    for first, *rest in rows:
        cells = [tag("td", cell, data_label=column) for column, cell in zip(columns[1:], rest, strict=True)]
        body.append(tag("tr", tag("th", first, scope="row"), *cells))
    whole = tag("table", tag("caption", caption), head, body)
    return tag("div", whole, class_="wide", tabindex=0, role="region", aria_label=caption)


def details(summary: str, *children: Element | str | None) -> Element:
    return tag("details", tag("summary", summary), *children)
