# ruff: noqa: SIM905 - a list of sixty quoted words is harder to read than one sentence
"""Word lists for invented civil servants, and the offices and positions of an invented-by-example kabupaten."""

from typing import NamedTuple

MEN = (
    "Agus Ahmad Aji Andi Anton Ari Arif Bambang Bagus Bayu Budi Cahyo Catur Dani Dedi Didik Dwi Edi Eko Fajar Feri "
    "Galih Gatot Gunawan Hadi Hari Hendra Heru Imam Indra Irwan Joko Kurnia Lukman Mohamad Muhamad Mulyono Nanang "
    "Nur Okta Prasetyo Purnomo Rahmat Rizki Rudi Satria Sigit Slamet Sugeng Suharto Supriyadi Sutrisno Suyono Teguh "
    "Tri Untung Wahyu Wawan Widodo Yoga Yudi Yusuf Zainal"
).split()
WOMEN = (
    "Aisyah Ambar Anggraini Ani Anisa Ayu Citra Dewi Diah Dian Dwi Dyah Eka Elok Endang Erna Esti Fitri Hesti Ida "
    "Indah Intan Ira Istiqomah Kartika Khusnul Laila Lestari Lilik Lina Luluk Maya Mega Melati Mia Mufidah Nanik "
    "Nining Novi Nur Nurul Putri Rahayu Ratna Retno Rina Rini Ririn Rohmah Sari Sekar Siti Sri Sulastri Sumiati "
    "Titik Tri Umi Utami Wahyuni Wiwik Wulan Yanti Yuli Yuni Zulaikah"
).split()
FAMILY = (
    "Adinata Anggoro Arifin Asmoro Budiarto Cahyono Darmawan Fauzi Firmansyah Handayani Hartono Hidayat Ismail "
    "Kusuma Kusumawati Kuswanto Laksono Mahendra Mahmudah Maulana Mustofa Nugraha Nugroho Nuryanto Pamungkas "
    "Permana Prabowo Pradana Pramono Pranoto Prayitno Priyono Purwanti Puspita Rahardjo Rahman Rahmawati Ramadhan "
    "Santoso Saputra Saputro Setiawan Setyawan Setyowati Sudarsono Suhartini Sulistyo Sumarno Supriyanto Susanto "
    "Susilo Suwarno Utomo Wardani Wibowo Wicaksono Widjaja Widyastuti Wijaya Winarno Wulandari Yuliani Yulianto "
    "D'Souza Pérez-Hutagalung Désirée"
).split()
BIRTHPLACES = (
    "Trenggalek Tulungagung Ponorogo Pacitan Blitar Kediri Malang Madiun Nganjuk Surabaya Magetan Ngawi Jember "
    "Sidoarjo Yogyakarta Surakarta"
).split()
RELIGIONS = (("Islam", 94), ("Kristen", 3), ("Katolik", 2), ("Hindu", 1))


class Unit(NamedTuple):
    """An office (OPD) and the share of the employees that work there."""

    code: str
    name: str
    kind: str
    share: int


_SUBDISTRICTS = (
    "Bendungan Dongko Durenan Gandusari Kampak Karangan Munjungan Panggul Pogalan Pule Suruh Trenggalek Tugu Watulimo"
).split()

UNITS = (
    Unit("setda", "Sekretariat Daerah", "sekretariat", 60),
    Unit("setwan", "Sekretariat DPRD", "sekretariat", 20),
    Unit("inspektorat", "Inspektorat Daerah", "badan", 25),
    Unit("bappedalitbang", "Badan Perencanaan Pembangunan, Penelitian dan Pengembangan Daerah", "badan", 25),
    Unit("bkd", "Badan Kepegawaian dan Pengembangan Sumber Daya Manusia", "badan", 30),
    Unit("bakeuda", "Badan Keuangan Daerah", "badan", 45),
    Unit("bpbd", "Badan Penanggulangan Bencana Daerah", "badan", 20),
    Unit("kesbangpol", "Badan Kesatuan Bangsa dan Politik", "badan", 12),
    Unit("dikpora", "Dinas Pendidikan, Pemuda dan Olahraga", "dinas", 900),
    Unit("dinkes", "Dinas Kesehatan, Pengendalian Penduduk dan Keluarga Berencana", "dinas", 380),
    Unit("rsud", "RSUD dr. Soedomo", "rumah sakit", 220),
    Unit("dpupr", "Dinas Pekerjaan Umum dan Penataan Ruang", "dinas", 60),
    Unit("dprkp", "Dinas Perumahan, Kawasan Permukiman dan Lingkungan Hidup", "dinas", 45),
    Unit("satpol-pp", "Satuan Polisi Pamong Praja dan Kebakaran", "badan", 45),
    Unit("dinsos", "Dinas Sosial, Pemberdayaan Perempuan dan Perlindungan Anak", "dinas", 30),
    Unit("disnaker", "Dinas Perindustrian dan Tenaga Kerja", "dinas", 25),
    Unit("dispertapan", "Dinas Pertanian dan Pangan", "dinas", 70),
    Unit("disnak", "Dinas Peternakan", "dinas", 25),
    Unit("diskan", "Dinas Perikanan", "dinas", 22),
    Unit("dukcapil", "Dinas Kependudukan dan Pencatatan Sipil", "dinas", 30),
    Unit("dpmd", "Dinas Pemberdayaan Masyarakat dan Desa", "dinas", 18),
    Unit("dishub", "Dinas Perhubungan", "dinas", 30),
    Unit("kominfo", "Dinas Komunikasi dan Informatika", "dinas", 25),
    Unit("diskomidag", "Dinas Koperasi dan Usaha Mikro serta Perdagangan", "dinas", 40),
    Unit("dpmptsp", "Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu", "dinas", 20),
    Unit("disparbud", "Dinas Pariwisata dan Kebudayaan", "dinas", 25),
    Unit("disperpusip", "Dinas Perpustakaan dan Kearsipan", "dinas", 18),
    *(Unit(f"kec-{name.lower()}", f"Kecamatan {name}", "kecamatan", 18) for name in _SUBDISTRICTS),
)

_RANKS = {
    "I": ("Juru Muda", "Juru Muda Tingkat I", "Juru", "Juru Tingkat I"),
    "II": ("Pengatur Muda", "Pengatur Muda Tingkat I", "Pengatur", "Pengatur Tingkat I"),
    "III": ("Penata Muda", "Penata Muda Tingkat I", "Penata", "Penata Tingkat I"),
    "IV": ("Pembina", "Pembina Tingkat I", "Pembina Utama Muda", "Pembina Utama Madya", "Pembina Utama"),
}
GRADES = tuple(
    (f"{number}/{letter}", rank)
    for number, ranks in _RANKS.items()
    for letter, rank in zip("abcde", ranks, strict=False)
)
GRADE_CODES = tuple(code for code, _rank in GRADES)


class Position(NamedTuple):
    """A position, its class, the span of grades that may hold it, and the titles that it asks for."""

    name: str
    kind: str
    level: int
    lowest: str
    highest: str
    front: tuple[str, ...] = ("",)
    back: tuple[str, ...] = ("",)


_BACHELOR = ("S.Sos.", "S.E.", "S.H.", "S.AP.", "S.IP.", "S.Kom.", "S.T.")
_MASTER = ("S.E., M.M.", "S.Sos., M.Si.", "S.H., M.H.", "S.T., M.T.", "S.STP., M.AP.")

POSITIONS = (
    Position("Kepala Dinas", "struktural", 14, "IV/b", "IV/d", ("", "Drs.", "Ir."), _MASTER),
    Position("Sekretaris Dinas", "struktural", 12, "IV/a", "IV/b", ("", "Dra."), _MASTER),
    Position("Kepala Bidang", "struktural", 11, "III/d", "IV/b", ("",), _MASTER),
    Position("Kepala Subbagian Umum dan Kepegawaian", "struktural", 9, "III/b", "III/d", ("",), _BACHELOR),
    Position("Camat", "struktural", 12, "III/d", "IV/b", ("",), _MASTER),
    Position("Guru Ahli Pertama", "fungsional", 8, "III/a", "III/b", ("",), ("S.Pd.", "S.Pd.I.", "S.Pd.SD.")),
    Position("Guru Ahli Muda", "fungsional", 9, "III/c", "III/d", ("",), ("S.Pd.", "S.Pd., M.Pd.")),
    Position("Guru Ahli Madya", "fungsional", 11, "IV/a", "IV/c", ("", "Drs."), ("S.Pd., M.Pd.", "S.Pd.")),
    Position("Dokter Ahli Pertama", "fungsional", 9, "III/b", "III/d", ("dr.", "drg."), ("", "Sp.A.")),
    Position("Perawat Terampil", "fungsional", 6, "II/c", "II/d", ("",), ("A.Md.Kep.",)),
    Position("Perawat Ahli Pertama", "fungsional", 8, "III/a", "III/c", ("",), ("S.Kep., Ns.",)),
    Position("Bidan Mahir", "fungsional", 7, "III/a", "III/b", ("",), ("A.Md.Keb.", "S.Tr.Keb.")),
    Position("Pranata Komputer Ahli Pertama", "fungsional", 8, "III/a", "III/b", ("",), ("S.Kom.", "S.T.")),
    Position("Pranata Komputer Ahli Muda", "fungsional", 9, "III/c", "III/d", ("",), ("S.Kom., M.Kom.",)),
    Position("Arsiparis Terampil", "fungsional", 6, "II/c", "II/d", ("",), ("A.Md.",)),
    Position("Analis Kebijakan Ahli Muda", "fungsional", 9, "III/c", "III/d", ("",), _BACHELOR),
    Position("Auditor Ahli Muda", "fungsional", 9, "III/c", "III/d", ("",), ("S.E., Ak.", "S.E.")),
    Position("Penyuluh Pertanian Ahli Pertama", "fungsional", 8, "III/a", "III/b", ("",), ("S.P.",)),
    Position("Bendahara", "pelaksana", 7, "II/c", "III/b", ("",), ("A.Md.", "S.E.")),
    Position("Pengelola Kepegawaian", "pelaksana", 6, "II/c", "III/a", ("",), ("A.Md.", "S.AP.")),
    Position("Pengadministrasi Umum", "pelaksana", 5, "II/a", "II/d"),
    Position("Pengemudi", "pelaksana", 3, "I/c", "II/b"),
    Position("Pramu Kebersihan", "pelaksana", 1, "I/a", "I/d"),
)
POSITION_SHARES = (1, 1, 3, 3, 1, 22, 14, 9, 3, 6, 5, 5, 2, 1, 2, 2, 1, 3, 3, 4, 12, 4, 3)
