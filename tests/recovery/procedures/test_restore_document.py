"""What the form of a restore says of "tidak ada transaksi"."""

from recovery.procedures.restore_document import quiet_in_words


def test_an_application_of_databases_alone_says_nothing_of_open_files() -> None:
    """Only its server's sessions were looked at, and no more is claimed."""
    quiet = {"down": [{"service": "web"}], "sources": {"simpeg/data": {"sessions": []}}}
    expected = "layanan web mati, alamat uji tidak menjawab, tidak ada koneksi ke basis data"
    assert expected == quiet_in_words({"quiet": quiet})
