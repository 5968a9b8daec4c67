"""The request of a restore, as the requester fills it in: the fields of "Formulir Permintaan Restore Data".

Titles and descriptions are what the Prefect UI shows, so they are Indonesian. The drop-down of application names is
added by `pulih apply`, which knows them.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from recovery.calendar import WIB

# As `datetime.fromisoformat` reads it; the date alone would mean midnight, before all that day's backups.
_MOMENT = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?([+-][0-9]{2}:[0-9]{2})?"
Text = Annotated[str, Field(min_length=3, max_length=2000)]


def _one_choice(schema: dict[str, Any]) -> None:
    """Turn "must be this word" into a drop-down of this word: the UI shows a constant as an empty text field."""
    schema["enum"] = [schema.pop("const")]


class RestoreRequest(BaseModel):
    """Formulir Permintaan Restore Data."""

    model_config = ConfigDict(extra="forbid", title="Formulir Permintaan Restore Data")

    nomor_surat: Text = Field(title="Nomor surat", description="Nomor surat permintaan dari unit kerja pemohon.")
    tanggal_surat: date = Field(title="Tanggal surat", description="Tanggal surat permintaan.")
    berkas_surat: str = Field(
        title="Berkas surat",
        description="Nama berkas surat di folder surat masuk, atau SHA-256 dari berkas surat (64 karakter).",
        min_length=1,
        max_length=255,
    )
    nip_pemohon: str = Field(
        title="NIP pemohon", description="NIP pegawai yang meminta: 18 angka tanpa spasi.", pattern=r"^[0-9]{18}$"
    )
    kontak_dinas: str = Field(title="Kontak dinas", description="Telepon atau surel dinas.", min_length=3)
    penandatangan: Text = Field(
        title="Pejabat penandatangan", description="Nama dan jabatan pejabat yang menandatangani surat."
    )
    aplikasi: str = Field(
        title="Nama aplikasi", description="Aplikasi yang datanya diminta dipulihkan. Pilih dari daftar."
    )
    uraian_kerusakan: Text = Field(
        title="Uraian kerusakan dan penyebab", description="Apa yang rusak atau hilang, dan penyebabnya bila diketahui."
    )
    waktu_kejadian: datetime = Field(
        title="Waktu kejadian",
        description="Kapan kerusakan terjadi atau diketahui. Pilih hari, jam, menit, lalu AM (sebelum pukul 12 siang) "
        "atau PM (sesudahnya). Zona waktu Asia/Jakarta adalah WIB.",
    )
    titik_pulih: str = Field(
        default="",
        pattern=rf"^({_MOMENT})?$",
        title="Titik pulih yang diminta",
        description="Kosongkan untuk cadangan terbaru yang terverifikasi. Bila meminta yang lebih lama, tulis waktunya "
        "dalam WIB: tahun-bulan-tanggal jam:menit, misalnya 2026-11-20 22:00.",
        max_length=64,
    )
    alasan_titik_pulih: str = Field(
        default="",
        validate_default=True,
        title="Alasan titik pulih",
        description="Wajib diisi bila titik pulih bukan cadangan terbaru.",
        max_length=500,
    )
    jenis_data: Text = Field(
        title="Jenis data", description="Jenis data yang diminta dipulihkan, misalnya data kepegawaian."
    )
    data_pribadi: Literal["tidak", "umum", "spesifik"] = Field(
        title="Data pribadi",
        description="Apakah data memuat data pribadi: tidak, data pribadi umum, atau data pribadi spesifik.",
    )
    dasar_kewenangan: Text = Field(
        title="Dasar kewenangan", description="Dasar kewenangan pemohon atas data ini, misalnya SK penunjukan."
    )
    setuju_kehilangan_data: Literal["setuju"] = Field(
        title="Persetujuan kehilangan data sesudah titik pulih",
        description="Data yang masuk sesudah titik pulih akan hilang dari aplikasi. Pilih “setuju”.",
        json_schema_extra=_one_choice,
    )
    urgensi: Literal["biasa", "segera", "amat segera"] = Field(title="Urgensi", description="Tingkat kemendesakan.")
    waktu_henti: Text = Field(
        title="Waktu henti yang diizinkan", description="Kapan dan berapa lama layanan boleh dihentikan."
    )
    lampiran: str = Field(default="", title="Lampiran", description="Lampiran surat, bila ada.", max_length=500)
    tanggung_jawab: Literal["bertanggung jawab"] = Field(
        title="Pernyataan tanggung jawab",
        description="Pemohon bertanggung jawab atas kebenaran permintaan ini. Pilih “bertanggung jawab”.",
        json_schema_extra=_one_choice,
    )

    @field_validator("waktu_kejadian")
    @classmethod
    def times_without_a_zone_are_local(cls, moment: datetime) -> datetime:
        """Officials think in WIB; records hold aware times only."""
        return moment if moment.tzinfo else moment.replace(tzinfo=WIB)

    @field_validator("titik_pulih")
    @classmethod
    def the_point_is_a_time(cls, point: str) -> str:
        """Refuse 31 February here, before officials spend their time on the request."""
        if point:
            datetime.fromisoformat(point)
        return point

    @field_validator("alasan_titik_pulih")
    @classmethod
    def another_point_needs_a_reason(cls, reason: str, form: ValidationInfo) -> str:
        """SOP step 5 says "data terbaru": any other recovery point must say why."""
        if form.data.get("titik_pulih", "").strip() and not reason.strip():
            raise ValueError("titik pulih selain cadangan terbaru perlu alasan (isi 'Alasan titik pulih')")
        return reason
