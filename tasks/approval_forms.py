"""The forms that officials see when they resume a suspended run: one per deciding step, in Indonesian.

Fields stand in the order of the SOP's forms; what proves who answered stands last. No field has a default: a form whose
fields all have defaults can be resumed with nothing at all, and silence is never consent. Rules that can be expressed
stand in the schema, which the server checks before it resumes.
"""

from typing import Annotated, Any, Literal

from prefect.input import RunInput
from pydantic import ConfigDict, Field

from recovery.records.approvals import Answer
from recovery.sop import EXECUTOR_START, RETENTION_APPROVAL, SCHEDULE_APPROVAL

YesNo = Literal["ya", "tidak"]
Note = Annotated[str, Field(min_length=1, max_length=1000)]

NIP = Field(title="NIP", description="NIP Anda: 18 angka tanpa spasi.", pattern=r"^[0-9]{18}$")
DOCUMENT_CODE = Field(
    title="Kode dokumen",
    description="Salin kode yang tercetak di akhir dokumen di atas. Bentuknya seperti AB12-CD34.",
    min_length=8,
    max_length=12,
)
CODE = Field(
    title="Kode sekali pakai",
    description="Enam angka yang sedang tampil di aplikasi autentikator pada ponsel Anda.",
    pattern=r"^[0-9]{6}$",
)
NOTE = Field(
    title="Catatan", description="Alasan; wajib diisi bila tidak menyetujui. Tulis tanda - bila tidak ada catatan."
)

# Fields that every form has; all else on a form is an answer that goes on the SOP's form.
_IDENTITY = {"keputusan", "nip", "kode_dokumen", "kode", "catatan"}


class ApprovalForm(RunInput):
    """What every deciding official fills in."""

    model_config = ConfigDict(extra="forbid")

    def answer(self) -> Answer:
        """Return what was filled in, as the approval rules want it."""
        fields: dict[str, Any] = self.model_dump(mode="json")
        note = fields["catatan"].strip()
        return Answer(
            decision=fields["keputusan"],
            nip=fields["nip"],
            document_code=fields["kode_dokumen"],
            code=fields["kode"],
            note="" if note == "-" else note,
            answers={name: value for name, value in fields.items() if name not in _IDENTITY},
        )


class ReviewForm(ApprovalForm):
    """Backup step 6: section F of the form."""

    sesuai_jadwal: YesNo = Field(title="Sesuai jadwal", description="Back up dijalankan sesuai jadwal.")
    berhasil_diverifikasi: YesNo = Field(title="Berhasil diverifikasi", description="Hasil uji pulih telah diperiksa.")
    nama_sesuai: YesNo = Field(title="Nama sesuai ketentuan", description="Nama berkas sesuai ketentuan.")
    tersimpan_aman: YesNo = Field(title="Tersimpan aman", description="Hasil back up telah diamankan.")
    keputusan: Literal["sesuai", "tidak sesuai"] = Field(title="Kesimpulan", description="Kesimpulan pemeriksaan.")
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = CODE


class DispositionForm(ApprovalForm):
    """Restore step 2: section C of the form."""

    nomor_agenda: str = Field(title="Nomor agenda", description="Nomor agenda surat masuk.", min_length=1)
    sifat: Literal["biasa", "segera", "rahasia"] = Field(title="Sifat", description="Sifat surat.")
    keputusan: Literal["diteruskan", "dikembalikan"] = Field(
        title="Disposisi", description="Diteruskan kepada Kabid Aptika, atau dikembalikan kepada pemohon."
    )
    instruksi: str = Field(title="Instruksi", description="Instruksi kepada Kabid Aptika.", min_length=1)
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = CODE


class VerificationForm(ApprovalForm):
    """Restore step 3: section D of the form."""

    jenis_data_sesuai: YesNo = Field(title="Jenis data sesuai", description="Jenis data sesuai dengan permintaan.")
    pemohon_berwenang: YesNo = Field(title="Pemohon berwenang", description="Pemohon berwenang atas data ini.")
    cadangan_utuh: YesNo = Field(
        title="Cadangan tersedia dan utuh", description="Cadangan tersedia dan terverifikasi (lihat di atas)."
    )
    dampak_unit_lain: str = Field(
        title="Dampak ke unit lain", description="Dampak ke unit kerja lain; tulis - bila tidak ada.", min_length=1
    )
    penanganan_data_pribadi: str = Field(
        title="Penanganan data pribadi",
        description="Cara data pribadi dilindungi; tulis - bila tidak ada.",
        min_length=1,
    )
    keputusan: Literal["disetujui", "ditolak"] = Field(title="Keputusan", description="Keputusan atas permintaan.")
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = CODE


class StartForm(ApprovalForm):
    """Before restore step 4: the executor's own go-ahead."""

    keputusan: Literal["mulai", "batalkan"] = Field(
        title="Pelaksanaan", description="Mulai menghentikan layanan dan memulihkan data sekarang, atau batalkan."
    )
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = CODE


class AcknowledgementForm(ApprovalForm):
    """Restore step 7 of the SOP (restore.8): the requester's receipt."""

    keputusan: Literal["sesuai", "tidak sesuai"] = Field(
        title="Data yang diterima", description="Apakah data yang dipulihkan sesuai dengan permintaan."
    )
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = Field(
        title="Kode tanda terima",
        description="Kode tanda terima dari pemberitahuan yang Anda terima, atau kode sekali pakai Anda.",
        min_length=6,
        max_length=12,
    )


class ScheduleForm(ApprovalForm):
    """The approval of a Jadwal Back Up: "Disahkan oleh"."""

    keputusan: Literal["disahkan", "ditolak"] = Field(
        title="Pengesahan", description="Sahkan jadwal di atas, atau tolak dengan alasan pada catatan."
    )
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = CODE


class DestructionForm(ApprovalForm):
    """The approval of a destruction of sets."""

    keputusan: Literal["disetujui", "ditolak"] = Field(
        title="Keputusan", description="Setujui pemusnahan cadangan di atas, atau tolak dengan alasan pada catatan."
    )
    catatan: Note = NOTE
    nip: str = NIP
    kode_dokumen: str = DOCUMENT_CODE
    kode: str = CODE


FORMS: dict[str, type[ApprovalForm]] = {
    "backup.6": ReviewForm,
    "restore.2": DispositionForm,
    "restore.3": VerificationForm,
    EXECUTOR_START: StartForm,
    "restore.8": AcknowledgementForm,
    SCHEDULE_APPROVAL: ScheduleForm,
    RETENTION_APPROVAL: DestructionForm,
}
