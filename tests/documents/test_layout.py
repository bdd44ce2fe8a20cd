"""What stands on the paper, read back from the printed PDF."""

from __future__ import annotations

import gc
import io
import re
import subprocess
import sys
from collections.abc import Iterator

import polib
import pytest
from django.utils.translation import trans_real
from PIL import Image
from pypdf import PdfReader

from billing.documents import press, rendering

from .papers import BUYER, a_line, a_paper, pages_of


def text_of(content) -> str:
    return "\n".join(pages_of(rendering.render(content)))


def one_line(text: str) -> str:
    return " ".join(text.split())


def many_lines(count: int) -> list[dict]:
    """Lines of different heights: every seventh wraps, every eleventh over many lines."""
    lines = []
    for number in range(1, count + 1):
        words = "so many words that they need several lines " * (9 if number % 11 == 0 else 3 if number % 7 == 0 else 0)
        amount = 100 + 37 * number
        lines.append(a_line(number, description=f"Item {number}. {words}".strip(), amount=amount, net=amount))
    return lines


def test_the_totals_on_paper_are_the_documents() -> None:
    text = text_of(a_paper([a_line(1, amount=1000, net=1000), a_line(2, amount=555, net=555, tax_rate="7")]))
    assert re.search(r"Total without tax\s*€15\.55", text)
    assert re.search(r"VAT 19% on €10\.00\s*€1\.90", text)
    assert re.search(r"VAT 7% on €5\.55\s*€0\.39", text)
    assert re.search(r"Total\s*€17\.84", text)


def test_what_the_law_wants_on_an_invoice_is_there() -> None:
    text = one_line(text_of(a_paper()))
    for wanted in (
        "Nordlicht Software GmbH", "Hafenstraße 7", "20457 Hamburg", "Müller & Söhne OHG", "Gartenweg 12", "50667 Köln",
        "DE123456789", "INV-2026-000123", "2 Nov 2026", "1 Nov 2026 – 30 Nov 2026", "16 Nov 2026", "Turnus Team", "19%",
        "HRB 123456",
    ):  # fmt: skip
        assert wanted in text


def test_one_page_says_so() -> None:
    [page] = pages_of(rendering.render(a_paper()))
    assert "Page 1/1" in page
    assert "forward" not in page


@pytest.mark.parametrize("count", [18, 40, 300])
def test_carried_totals_are_the_sum_of_what_was_printed_so_far(count: int) -> None:
    lines = many_lines(count)
    pages = pages_of(rendering.render(a_paper(lines)))
    amounts = {line["position"]: line["amount"] for line in lines}
    assert len(pages) > 1
    printed, sum_before = 0, 0
    for number, page in enumerate(pages, 1):
        on_page = [int(position) for position in re.findall(r"Item (\d+)\.", page)]
        sum_after = sum_before + sum(amounts[position] for position in on_page)
        brought = re.findall(r"Brought forward\s+([\d.,]+)", page)
        carried = re.findall(r"Carried forward\s+([\d.,]+)", page)
        is_last_of_lines = printed + len(on_page) == count
        assert brought == (
            [] if number == 1 or not (on_page or carried or "Total" in page) else [f"{sum_before / 100:,.2f}"]
        )
        if not is_last_of_lines:
            assert carried == [f"{sum_after / 100:,.2f}"]
        printed += len(on_page)
        sum_before = sum_after
        assert f"Page {number}/{len(pages)}" in page
    assert printed == count
    assert re.search(rf"Total without tax\s*€{sum_before / 100:,.2f}", "\n".join(pages))


def test_totals_that_move_to_a_page_of_their_own_bring_the_sum_with_them() -> None:
    alone = []
    for count in range(8, 40):
        lines = [a_line(number, description=f"Item {number}.") for number in range(1, count + 1)]
        pages = pages_of(rendering.render(a_paper(lines)))
        last = pages[-1]
        if len(pages) > 1 and "Item" not in last and "Total without tax" in last:
            alone.append(count)
            assert f"Carried forward {count * 10:,.2f}" in one_line(pages[-2])
            assert f"Brought forward {count * 10:,.2f}" in one_line(last)
    assert alone, "no number of lines pushed the totals over"


def test_each_line_is_printed_once_and_whole() -> None:
    text = one_line(text_of(a_paper(many_lines(60))))
    assert [int(found) for found in re.findall(r"Item (\d+)\.", text)] == list(range(1, 61))


def test_long_words_stay_in_their_column() -> None:
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    pdf = rendering.render(a_paper([a_line(1, description=word * 2)]))
    text = "".join("".join(pages_of(pdf)).split())
    assert word * 2 in text
    assert rightmost_ink(pdf) <= 190.5


def test_figures_of_a_billion_stay_on_one_line() -> None:
    pdf = rendering.render(a_paper([a_line(1, amount=123456789012, net=123456789012)]))
    assert "1,234,567,890.12" in one_line("".join(pages_of(pdf)))
    assert rightmost_ink(pdf) <= 190.5


def test_an_address_of_many_lines_is_printed_whole() -> None:
    lines = ["Purchasing", "c/o Head Office", "P.O. Box 1234", "Long Road 7, Building C"]
    buyer = {
        **BUYER,
        "recipient": "Dr. Ada Beispiel",
        "lines": lines,
        "country": "FR",
        "city": "Paris",
        "postal_code": "75001",
    }
    text = text_of(a_paper(buyer=buyer))
    order = [text.index(part) for part in ("Müller & Söhne", "Dr. Ada Beispiel", *lines, "75001 Paris", "FRANCE")]
    assert order == sorted(order)


def test_yen_have_no_decimals() -> None:
    text = one_line(
        text_of(a_paper([a_line(1, unit_amount="1500", amount=1500, net=1500, tax_rate="10")], currency="JPY"))
    )
    assert "JP¥1,650" in text
    assert "1,500.00" not in text


def test_a_test_document_is_stamped_and_asks_for_nothing() -> None:
    text = one_line(text_of(a_paper(is_test=True)))
    assert "TEST" in text
    assert "This is a test document: nothing is to be paid." in text
    assert "Please pay" not in text
    assert "Payment reference" not in text


def test_a_live_document_is_not_stamped() -> None:
    assert "TEST" not in text_of(a_paper())


def test_a_credit_note_names_the_invoice_it_corrects() -> None:
    line = a_line(1, amount=500, net=500, calculation={"days": 15, "full_days": 30, "of_minor": 1000})
    text = one_line(
        text_of(
            a_paper(
                [line], kind="credit_note", number="CN-2026-000002", reason="Canceled",
                corrects={"number": "INV-2026-000123", "issued_on": "2026-11-02"},
            )
        )
    )  # fmt: skip
    assert "Credit note CN-2026-000002" in text
    assert "This document corrects invoice INV-2026-000123 of 2 Nov 2026." in text
    assert "15 of 30 days charged with €10.00 are given back: €5.00." in text
    assert "Total credit €5.95" in text
    assert "Please pay" not in text


def test_gross_prices_show_the_tax_inside() -> None:
    row = {"category": "S", "rate": "19", "base": 1680, "tax": 319, "reason": "domestic"}
    text = one_line(
        text_of(
            a_paper(
                [a_line(1, amount=1999, net=1680, unit_amount="19.99")], tax_behavior="inclusive", tax_rows=[row],
                net=1680, tax=319, gross=1999, to_pay=1999,
            )
        )
    )  # fmt: skip
    assert "EUR incl. tax" in text
    assert "Total €19.99" in text
    assert "including VAT 19% on €16.80 net €3.19" in text


def test_account_credit_lowers_what_is_due() -> None:
    text = one_line(text_of(a_paper(credit_used=1000, to_pay=190)))
    assert "Paid from your account credit -€10.00" in text
    assert "Amount due €1.90" in text
    assert "Please pay €1.90 by 16 Nov 2026" in text


def test_greek_and_cyrillic_names_are_readable() -> None:
    names = "Αφοί Παπαδόπουλοι", "Общество Ромашка", "Łódź Ğ ő"
    text = one_line(text_of(a_paper([a_line(1, description=names[2])], buyer={"name": f"{names[0]} / {names[1]}"})))
    for name in names:
        assert name in text


def test_the_fonts_are_in_the_file() -> None:
    reader = PdfReader(io.BytesIO(rendering.render(a_paper())))
    fonts = reader.pages[0]["/Resources"]["/Font"]
    for font in fonts.values():
        [descendant] = font.get_object()["/DescendantFonts"]
        descriptor = descendant.get_object()["/FontDescriptor"].get_object()
        assert "Inter" in descriptor["/FontName"]
        assert any(key in descriptor for key in ("/FontFile2", "/FontFile3"))


def test_a_logo_is_printed_instead_of_the_name() -> None:
    picture = io.BytesIO()
    Image.new("RGB", (300, 80), (200, 30, 30)).save(picture, "PNG")
    pdf = rendering.render(a_paper(logo=picture.getvalue()))
    assert len(PdfReader(io.BytesIO(pdf)).pages[0].images) == 1
    assert "Nordlicht\n" not in pages_of(pdf)[0]


@pytest.mark.parametrize(
    "logo",
    [
        b"not a picture",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        b'<image href="file:///etc/passwd" width="9" height="9"/></svg>',
    ],
    ids=["garbage", "svg that reaches out"],
)
def test_a_bad_logo_spoils_no_invoice(logo: bytes) -> None:
    assert "INV-2026-000123" in "".join(pages_of(rendering.render(a_paper(logo=logo))))


def test_names_with_markup_are_printed_as_they_are() -> None:
    name = '<b>Bobby</b> & "Söhne" <img src="file:///etc/passwd">'
    printed = text_of(a_paper(buyer={"name": name}))
    assert "".join(name.split()) in "".join(printed.split())


def test_the_same_content_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "import django, hashlib; django.setup()\n"
        "from billing.documents import rendering\n"
        "from tests.documents.papers import a_paper\n"
        "print(hashlib.sha256(rendering.render(a_paper())).hexdigest())\n"
    )
    command = [sys.executable, "-c", script]
    digests = {subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() for _ in range(2)}
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_what_a_layout_leaves_is_gone_when_its_file_is_there() -> None:
    rendering.render(a_paper())
    gc.collect()
    gc.disable()
    try:
        rendering.render(a_paper())
        assert gc.collect() < 1000
    finally:
        gc.enable()


def test_the_file_says_what_it_is() -> None:
    reader = PdfReader(io.BytesIO(rendering.render(a_paper(language="de"))))
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice INV-2026-000123" or "INV-2026-000123" in str(reader.metadata.title)
    assert reader.metadata.author == "Nordlicht Software GmbH"
    assert reader.metadata.creation_date_raw.startswith("D:20261102")


def test_screen_readers_find_language_heading_and_tables() -> None:
    catalog = PdfReader(io.BytesIO(rendering.render(a_paper(language="de")))).trailer["/Root"]
    assert catalog["/Lang"] == "de"
    assert catalog["/MarkInfo"]["/Marked"]
    kinds = set()

    def walk(element) -> None:
        element = element.get_object()
        if "/S" in element:
            kinds.add(element["/S"])
        children = element.get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            if hasattr(child.get_object(), "keys"):
                walk(child)

    walk(catalog["/StructTreeRoot"])
    assert {"/H1", "/Table", "/TH", "/TD"} <= kinds


def test_every_layout_has_its_style() -> None:
    assert press.templates() == ["2026-1"]
    assert (press.TEMPLATES / "2026-1" / "document.css").exists()


@pytest.fixture
def some_german(tmp_path, settings) -> Iterator[None]:
    """A catalog with a few of the words, from a sentence, from the template and with a context."""
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Plural-Forms": "nplurals=2; plural=(n != 1);"}
    for msgid, msgstr, context in (
        ("Invoice", "Rechnung", "document title"),
        ("VAT", "USt.", "tax name"),
        ("Description", "Beschreibung", None),
        ("Page", "Seite", None),
        ("Carried forward", "Übertrag", None),
        ("Please pay %(amount)s by %(day)s, quoting %(number)s.", "Zahlen Sie %(amount)s bis %(day)s.", None),
    ):
        catalog.append(polib.POEntry(msgid=msgid, msgstr=msgstr, msgctxt=context))
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog.save_as_mofile(str(folder / "django.mo"))
    kept = dict(trans_real._translations)
    trans_real._translations.clear()
    settings.LOCALE_PATHS = [tmp_path]
    yield
    trans_real._translations.clear()
    trans_real._translations.update(kept)


def test_every_word_is_in_the_documents_language(some_german: None) -> None:
    text = one_line(text_of(a_paper(many_lines(40), language="de")))
    for wanted in ("Rechnung INV-2026-000123", "USt.", "Beschreibung", "Seite 1/", "Übertrag", "bis 16.11.2026."):
        assert wanted in text
    for foreign in ("Description", "Page ", "VAT 19", "Carried"):
        assert foreign not in text


@pytest.mark.parametrize(
    ("language", "total", "day"),
    [
        ("en", "€1,190.00", "2 Nov 2026"), ("de", "1.190,00 €", "02.11.2026"), ("fr", "1 190,00 €", "2 nov. 2026"),
        ("it", "1.190,00 €", "2 nov 2026"), ("es", "1.190,00 €", "2 nov 2026"),
    ],
)  # fmt: skip
def test_figures_and_days_are_written_as_the_language_does(language: str, total: str, day: str) -> None:
    text = one_line(text_of(a_paper([a_line(1, amount=100000, net=100000)], language=language)))
    assert total in text
    assert day in text


def rightmost_ink(pdf: bytes) -> float:
    """Millimetres from the left edge to the last dark pixel of the first page."""
    import pypdfium2

    page = pypdfium2.PdfDocument(pdf)[0]
    picture = page.render(scale=2).to_pil().convert("L").point(lambda value: 255 if value < 200 else 0)
    box = picture.getbbox()
    assert box is not None
    return box[2] / picture.width * 210
