"""Text files in the encodings that spreadsheets of a Mac or of DOS write."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import read_export

FRENCH = ("Date facture;N° facture;Code article;Qté;État", "Livrée", "Annulée")
GERMAN = ("Belegdatum;Belegnummer;Artikelnr.;Stückzahl;Status", "Ausgeführt", "Storniert")
POLISH = ("Data sprzedaży;Numer zamówienia;Kod produktu;Ilość;Status", "Wysłane", "Anulowane")
RUSSIAN = ("Дата;Номер заказа;Артикул;Количество;Статус", "Доставлен", "Отменен")


@pytest.mark.parametrize(
    ("texts", "encoding"),
    [
        (FRENCH, "mac_roman"), (FRENCH, "cp850"), (FRENCH, "cp1252"), (GERMAN, "mac_roman"), (GERMAN, "cp850"),
        (POLISH, "cp852"), (POLISH, "mac_latin2"), (POLISH, "cp1250"), (RUSSIAN, "cp866"), (RUSSIAN, "mac_cyrillic"),
    ],
)  # fmt: skip
def test_a_state_is_read_in_whatever_encoding(texts: tuple[str, str, str], encoding: str, tmp_path: Path) -> None:
    header, sold, undone = texts
    rows = [f"{i % 28 + 1:02}.03.2026;F{i};A{i % 3};2;{undone if i % 5 == 0 else sold}" for i in range(50)]
    (tmp_path / "list.csv").write_bytes("\r\n".join([header, *rows]).encode(encoding))
    reading = read_export(tmp_path / "list.csv")
    assert (reading.column("units"), reading.sold) == (header.split(";")[3], 80)
