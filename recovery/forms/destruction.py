"""Berita Acara Pemusnahan: which sets are destroyed, why and how, who agreed, and what became of each."""

from dataclasses import dataclass

from recovery.calendar import format_bytes, format_moment, format_number
from recovery.errors import FormError
from recovery.forms.model import (
    Approval,
    Block,
    Document,
    FormFacts,
    Official,
    Row,
    Section,
    lines,
    notes_for,
    signature_box,
)

TITLE = "Berita Acara Pemusnahan Cadangan"
# "Status dokumen".
PROPOSED = "USULAN – BELUM DISETUJUI, BELUM ADA YANG DIMUSNAHKAN"
REJECTED = "DITOLAK – TIDAK ADA YANG DIMUSNAHKAN"
DONE = "SELESAI"
PARTLY = "SELESAI SEBAGIAN – LIHAT HASIL TIAP CADANGAN"

METHOD = (
    "Semua objek cadangan dihapus dari setiap penyimpanan beserta semua versinya, lalu penyimpanan dibaca ulang. Tanda "
    "tangan manifest dihapus lebih dahulu, sehingga cadangan yang penghapusannya terputus tidak pernah tampak utuh. "
    "Isi cadangan terenkripsi sejak dibuat."
)


@dataclass(frozen=True, kw_only=True)
class ListedSet:
    """One set. `reason`: why it goes, or what it waits for; `result`: what became of it, "" while it is undecided."""

    name: str
    component: str
    schedule: str
    moment: str
    size: int
    stores: tuple[str, ...]
    manifest_sha256: str
    reason: str
    result: str = ""


@dataclass(frozen=True, kw_only=True)
class ComponentCount:
    """What stays of a component: verified sets before and after, and how many always stay."""

    name: str
    verified: int
    verified_after: int
    promised: int
    destroyed: int


@dataclass(frozen=True, kw_only=True)
class DestructionForm:
    """What is destroyed. `status`: one of the words above; `note`: what the deciding official wrote."""

    status: str
    drawn_up_at: str
    procedure_id: str
    plan_sha256: str
    components: tuple[ComponentCount, ...]
    sets: tuple[ListedSet, ...]
    waiting: tuple[ListedSet, ...]
    executor: Official
    official: Official
    note: str = ""
    approval: Approval | None = None


def build(document: Document, form: DestructionForm) -> FormFacts:
    """Given what is destroyed, return the form. Raises FormError for a list of nothing."""
    if not form.sets:
        raise FormError("a record of destruction needs at least one set")
    waiting = (
        Section("D", "Menunggu kunci berakhir (tidak dimusnahkan sekarang)", _listed(form.waiting)),
        Section("E", "Cara pemusnahan", (Block("", (Row("Cara", METHOD),)),)),
    )
    without = (Section("D", "Cara pemusnahan", (Block("", (Row("Cara", METHOD),)),)),)
    return FormFacts(
        kind="destruction",
        title=TITLE,
        document=document,
        sections=(
            Section("A", "Identitas", (Block("", _identity(document, form)),)),
            Section("B", "Yang tetap disimpan menurut rencana", (_counts(form.components),)),
            Section("C", "Cadangan yang dimusnahkan", _listed(form.sets)),
            *(waiting if form.waiting else without),
        ),
        signatures=(
            signature_box("Pelaksana", "TTE_Pelaksana", form.executor, document),
            signature_box("Saksi", "TTE_Saksi", Official(), document),
            signature_box("Menyetujui", "TTE_Kabid", form.official, document, form.approval),
        ),
        notes=notes_for(document, approvals=form.approval is not None),
    )


def _identity(document: Document, form: DestructionForm) -> tuple[Row, ...]:
    total = format_bytes(sum(each.size * len(each.stores) for each in form.sets))
    return (
        Row("Nomor berita acara", document.number),
        Row("Status dokumen", form.status, style="strong"),
        Row("Disusun pada", format_moment(form.drawn_up_at)),
        Row("Jumlah cadangan", f"{format_number(len(form.sets))} ({total} di semua penyimpanan)"),
        Row("ID eksekusi", form.procedure_id, style="code"),
        Row("SHA-256 rencana", form.plan_sha256, style="code"),
        Row("Catatan pejabat", form.note),
    )


def _counts(components: tuple[ComponentCount, ...]) -> Block:
    return Block("", tuple(_count(each) for each in components))


def _count(count: ComponentCount) -> Row:
    return Row(
        count.name,
        f"{format_number(count.verified)} cadangan terverifikasi, dimusnahkan {format_number(count.destroyed)}, "
        f"tetap ada {format_number(count.verified_after)} (ketentuan: paling sedikit {format_number(count.promised)})",
    )


def _listed(listed: tuple[ListedSet, ...]) -> tuple[Block, ...]:
    return tuple(
        Block(
            f"{number}. {each.name}",
            (
                Row("Komponen", each.component),
                Row("Titik cadangan", format_moment(each.moment)),
                Row("Jadwal dan alasan", lines(each.schedule, each.reason)),
                Row("Ukuran dan lokasi", lines(format_bytes(each.size), *each.stores)),
                Row("SHA-256 manifest", each.manifest_sha256, style="code"),
                *((Row("Hasil", each.result, style="strong"),) if each.result else ()),
            ),
        )
        for number, each in enumerate(listed, 1)
    )
