"""Typed settings: what the inventory says and what the Prefect blocks hold.

One model per thing that an operator configures. The blocks carry the same fields, so that the worker, the command
line and the Prefect UI mean the same by the same word. Secrets appear only as references (see recovery/secrets.py).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?$")]
# systemd.unit(5), without the types whose state says nothing of what runs.
Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9:_.@\\-]*\.(service|socket|timer|path)$")]
SecretReference = Annotated[str, Field(pattern=r"^(file|env|credential):.+$")]


# Kinds of components that are databases of a server, and where such a server usually listens.
SERVER_PORTS = {"postgresql": 5432, "mariadb": 3306}


class Settings(BaseModel):
    """Base of all settings: unknown fields are errors, so that a typing mistake is not a silent default."""

    model_config = ConfigDict(extra="forbid")


class HostSettings(Settings):
    """A machine on which components and services live."""

    name: Slug = Field(description="Name by which applications refer to this host.")
    kind: Literal["local", "ssh"] = Field(default="local", description="How the host is reached.")
    title: str = Field(
        default="", description="Name printed on forms; empty means the machine's own host name, or its address."
    )
    address: str = Field(default="", description="ssh: host name or IP address.")
    port: int = Field(default=22, ge=1, le=65535, description="ssh: port of sshd.")
    user: str = Field(default="", description="ssh: account on the machine.")
    key: SecretReference | None = Field(default=None, description="ssh: reference to the private key.")
    host_keys: str = Field(
        default="", description="ssh: absolute path of a known_hosts file on the worker with the machine's pinned key."
    )
    python: str = Field(
        default="python3",
        pattern=r"^[A-Za-z0-9/][A-Za-z0-9/._+-]*$",
        description="ssh: Python 3.9 or newer on the machine: a name on its PATH, or a path.",
    )
    connect_timeout: float = Field(default=10, gt=0, description="ssh: seconds within which a connection must stand.")
    answer_timeout: float = Field(
        default=30, gt=0, description="ssh: seconds of silence after which a connection is given up, on both sides."
    )


class StoreSettings(Settings):
    """A place where backup sets are kept."""

    name: Slug = Field(description="Name of the store.")
    kind: Literal["directory", "s3"] = Field(default="directory", description="What kind of store this is.")
    path: str = Field(default="", description="directory: absolute path.")
    prefix: str = Field(default="", description="Folder inside the store under which everything is put.")
    title: str = Field(default="", description="Name of the location as printed on forms.")
    endpoint: str = Field(
        default="", pattern=r"^(https?://[^/?#@]+/?)?$", description="s3: address of the service, without the bucket."
    )
    region: str = Field(default="us-east-1", min_length=1, description="s3: region that requests are signed for.")
    bucket: str = Field(
        default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", description="s3: name of the bucket."
    )
    addressing: Literal["path", "virtual"] = Field(
        default="path", description="s3: the bucket in the path of the address, or (virtual) in its host name."
    )
    ca_file: str = Field(
        default="", pattern=r"^(/.*)?$", description="s3: absolute path of the CA's certificate; empty: a public CA."
    )
    access_key: SecretReference | None = Field(default=None, description="s3: reference to the access key.")
    secret_key: SecretReference | None = Field(default=None, description="s3: reference to the secret key.")
    removal_access_key: SecretReference | None = Field(
        default=None,
        description="s3: reference to the access key that may remove objects; only retention's account reads it.",
    )
    removal_secret_key: SecretReference | None = Field(
        default=None, description="s3: reference to the secret key that belongs to it."
    )
    lock: Literal["none", "governance", "compliance"] = Field(
        default="none", description="s3: kind of Object Lock that keeps a set until its retention ends."
    )
    without_lock: Literal["refuse", "warn"] = Field(
        default="refuse", description="s3: what to do when a lock is demanded and the store cannot lock."
    )
    connect_timeout: float = Field(default=10, gt=0, description="s3: seconds within which a connection must stand.")
    answer_timeout: float = Field(
        default=60, gt=0, description="s3: seconds of silence after which a request is given up."
    )
    attempts: int = Field(default=6, ge=1, le=20, description="s3: how often a request is tried, with growing pauses.")


class KeySettings(Settings):
    """Keys of the installation: public recipients, and references to what must stay secret."""

    operations_recipient: str = Field(description="The age recipient (age1…) of daily operations.")
    escrow_recipient: str = Field(description="The age recipient (age1…) whose identity lies in escrow.")
    operations_identity: SecretReference = Field(
        description="Reference to the operations identity; only the restoring worker can read it."
    )
    signing_key: SecretReference = Field(description="Reference to the Ed25519 private key (PEM) that signs manifests.")
    enrolment_key: SecretReference = Field(
        description="Reference to the 32-byte key (base64) that encrypts the officials' one-time-code secrets."
    )


class MaintenanceSettings(Settings):
    """A page that the web server shows while a flag file is there, instead of a dead port."""

    flag: str = Field(pattern=r"^/.+$", description="Absolute path of the flag file on the host.")
    url: str = Field(pattern=r"^https?://.+$", description="URL that answers 503 with the page while it is shown.")
    text: str = Field(min_length=1, description="Text by which the page is known.")


class ServiceSettings(Settings):
    """A web service that is stopped for a restore and started again after it."""

    name: Slug = Field(description="Name of the service.")
    kind: Literal["command", "supervisor", "systemd"] = Field(description="How the service is controlled.")
    units: list[Unit] = Field(
        default_factory=list,
        description="systemd: units in the order in which they are stopped (timers and workers first).",
    )
    sudo: bool = Field(default=False, description="systemd: stop and start through sudo, with exact commands.")
    program: str = Field(default="", description="Supervisor: the program's name.")
    configuration: str = Field(default="", description="Supervisor: absolute path of its configuration file.")
    start: list[str] = Field(default_factory=list, description="Command: argument list that starts the service.")
    stop: list[str] = Field(default_factory=list, description="Command: argument list that stops the service.")
    health_url: str = Field(default="", description="URL that answers 200 when the service is healthy.")
    port: int | None = Field(default=None, description="TCP port on the host that must be closed while stopped.")
    maintenance: MaintenanceSettings | None = Field(
        default=None, description="Page that is shown while the service is stopped."
    )
    stop_timeout: float = Field(default=30, gt=0, description="Seconds within which the service must be down.")
    start_timeout: float = Field(default=60, gt=0, description="Seconds within which the service must be healthy.")


class ScratchServerSettings(Settings):
    """A database server on which proofs load their copies, in place of one that each proof makes for itself."""

    server: str = Field(
        min_length=1,
        description="Address of the server as the worker reaches it, or its socket there (postgresql: the directory).",
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="Port of the server; empty means the usual one.")
    user: str = Field(min_length=1, description="Account that makes and drops copies; it may do everything there.")
    password: SecretReference | None = Field(default=None, description="Reference to its password.")


class ComponentSettings(Settings):
    """One database or directory tree of an application: the unit of a dump."""

    name: Slug = Field(description="Name of the component.")
    title: str = Field(default="", description="Name printed on forms.")
    kind: Literal["sqlite", "files", "postgresql", "mariadb"] = Field(description="What kind of source this is.")
    path: str = Field(
        default="",
        pattern=r"^(/.*)?$",
        description="sqlite, files: absolute path of the file or directory on the host.",
    )
    database: str = Field(default="", description="postgresql, mariadb: name of the database.")
    server: str = Field(
        default="",
        description="Address of the server, or its socket (postgresql: the directory); empty means the host's own.",
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="Port of the server; empty means the usual one.")
    user: str = Field(default="", description="Account that backs up; empty means Pulih's account on the host.")
    password: SecretReference | None = Field(default=None, description="Reference to its password.")
    restore_user: str = Field(default="", description="Account that restores; empty means the one above.")
    restore_password: SecretReference | None = Field(
        default=None, description="Reference to the restoring account's password."
    )
    scratch_server: ScratchServerSettings | None = Field(
        default=None, description="Server on which backups are proven; empty means one of each proof's own."
    )
    lock_nontransactional: bool = Field(
        default=False,
        description="mariadb: keep tables that know no snapshot (MyISAM …) locked while they are dumped.",
    )
    write_binlog: bool = Field(default=True, description="mariadb: write restored copies to the binary log.")
    data_kind: str = Field(default="", description="Jenis data, as printed on forms.")
    suite: str = Field(default="", description="Path of the owner's Great Expectations suite (YAML).")
    lock_timeout: float = Field(default=30, gt=0, description="Seconds to wait for a locked source.")

    @property
    def printed_name(self) -> str:
        """What officials see."""
        return self.title or self.name

    @property
    def location(self) -> str:
        """Where the data is, as printed on forms."""
        return f"basis data {self.database}" if self.kind in SERVER_PORTS else self.path

    @property
    def server_port(self) -> int:
        """The port of the database server; 0 when the component has none."""
        return self.port or SERVER_PORTS.get(self.kind, 0)


class ApplicationSettings(Settings):
    """An application: the unit of a restore."""

    name: Slug = Field(description="Name of the application, as used in names of backups.")
    title: str = Field(description="Name of the application, as printed on forms.")
    owner_unit: Slug = Field(description="Short name of the work unit that owns the data.")
    owner_unit_title: str = Field(description="Name of the work unit, as printed on forms.")
    category: Literal["strategis", "tinggi", "rendah"] = Field(
        default="rendah", description="Kategori sistem elektronik."
    )
    classification: Literal["biasa", "terbatas", "rahasia", "sangat rahasia"] = Field(
        default="terbatas", description="Klasifikasi of the data."
    )
    personal_data: Literal["tidak", "umum", "spesifik"] = Field(
        default="umum", description="Whether the data holds personal data, and of which kind."
    )
    host: Slug = Field(description="Name of the host on which the application runs.")
    services: list[ServiceSettings] = Field(default_factory=list, description="Services stopped, in this order.")
    components: list[ComponentSettings] = Field(min_length=1, description="What is backed up.")
    downtime_allowed: str = Field(default="", description="Downtime that the owner accepts, as printed on forms.")


class RetentionSettings(Settings):
    """Which sets of a component stay beyond the schedule's retention_days: the newest of each of so many periods."""

    verified: int = Field(default=3, ge=1, description="Verified sets of a component that always stay, however old.")
    daily: int = Field(default=7, ge=0, description="Days with a set of which the newest stays.")
    weekly: int = Field(default=4, ge=0, description="Weeks (ISO) with a set of which the newest stays.")
    monthly: int = Field(default=12, ge=0, description="Months with a set of which the newest stays.")
    yearly: int = Field(default=2, ge=0, description="Years with a set of which the newest stays.")


class DrillSettings(Settings):
    """Gladi restore: how often backups of a schedule are taken out of the stores and proven again."""

    cron: str = Field(default="", description="When it runs, in cron's five fields, in WIB; empty means never so.")
    after_backup: bool = Field(default=False, description="Whether one follows each backup of the schedule.")
    choice: Literal["newest", "longest-unproven"] = Field(
        default="newest", description="Which backup of a component is taken."
    )
    days: int = Field(default=92, ge=1, description="Days after which the last drill that passed is too old.")


class ScheduleSettings(Settings):
    """Jadwal Back Up: which applications are backed up when, by whom, for how long."""

    name: Slug = Field(description="Name of the schedule; the slug of its Prefect schedule.")
    period: str = Field(description="Tahun/periode.")
    applications: list[Slug] = Field(min_length=1, description="Names of the applications.")
    cron: str = Field(description="When it runs, in cron's five fields, in WIB.")
    frequency: str = Field(description="Frekuensi dan waktu in words, as printed on forms.")
    store: Slug = Field(description="Name of the main store.")
    offsite_store: str = Field(default="", description="Name of the off-site store; empty when there is none.")
    retention_days: int = Field(default=365, ge=1, description="Days for which a set is kept at least.")
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="Which sets stay longer than that."
    )
    recovery_point_objective: str = Field(default="1 bulan", description="RPO, as printed on forms.")
    recovery_time_objective: str = Field(default="1 hari kerja", description="RTO, as printed on forms.")
    executor: str = Field(description="NIP of the executor (Pelaksana).")
    reviewer: str = Field(description="NIP of the reviewer (Pemeriksa).")
    drill: DrillSettings = Field(default_factory=DrillSettings, description="Gladi restore of its backups.")
    valid_from: str = Field(default="", description="Berlaku mulai (YYYY-MM-DD).")
    approved_by: str = Field(default="", description="Disahkan oleh: NIP of the approving official.")


class OfficialSettings(Settings):
    """An official: who may do which step, and when."""

    nip: str = Field(pattern=r"^[0-9]{18}$", description="NIP, 18 digits.")
    name: str = Field(min_length=1, description="Full name with titles.")
    position: str = Field(min_length=1, description="Jabatan.")
    unit: Slug = Field(description="Short name of the work unit.")
    roles: list[Literal["pemohon", "kadis", "kabid", "pelaksana"]] = Field(min_length=1, description="Roles.")
    acting: Literal["", "Plt.", "Plh."] = Field(default="", description="Set for an acting official.")
    valid_from: str = Field(default="", description="First day of office (YYYY-MM-DD); empty means always.")
    valid_until: str = Field(default="", description="Last day of office (YYYY-MM-DD); empty means no end.")
    contact: str = Field(default="", description="Apprise target for notices to this official, as a reference.")


class NumberPatterns(Settings):
    """Patterns of document numbers; fields: {sequence}, {month_roman}, {month}, {year}."""

    schedule: str = Field(default="{sequence:03d}/JBU/KOMINFO/{month_roman}/{year}", description="Jadwal Back Up.")
    backup: str = Field(
        default="{sequence:03d}/FPB/KOMINFO/{month_roman}/{year}", description="Formulir Pelaksanaan Back Up."
    )
    restore_request: str = Field(
        default="{sequence:03d}/FPR/KOMINFO/{month_roman}/{year}", description="Formulir Permintaan Restore."
    )
    restore: str = Field(
        default="{sequence:03d}/FLR/KOMINFO/{month_roman}/{year}", description="Formulir Pelaksanaan Restore."
    )
    drill: str = Field(
        default="{sequence:03d}/BAG/KOMINFO/{month_roman}/{year}", description="Berita Acara Gladi Restore."
    )
    destruction: str = Field(
        default="{sequence:03d}/BAP/KOMINFO/{month_roman}/{year}", description="Berita Acara Pemusnahan."
    )


class ApprovalSettings(Settings):
    """Rules of approvals that an office may choose."""

    lifetime_days: int = Field(default=14, ge=1, description="Days after which an unanswered approval expires.")
    small_office: bool = Field(default=False, description="The disposing official may also verify.")


class OwnRecordsSettings(Settings):
    """Sets of the installation's own records: how many stay, and for how long each."""

    newest: int = Field(default=30, ge=3, description="Newest whole sets that always stay, however old.")
    days: int = Field(default=90, ge=7, description="Days for which a set is kept, and locked, at least.")


class OfficeSettings(Settings):
    """The office that runs the procedure: what stands on its forms, and where its machine keeps things."""

    government: str = Field(default="PEMERINTAH KABUPATEN TRENGGALEK", description="First line of the letterhead.")
    name: str = Field(default="DINAS KOMUNIKASI DAN INFORMATIKA", description="Second line of the letterhead.")
    address: str = Field(default="", description="Third line of the letterhead.")
    legal_basis: list[str] = Field(default_factory=list, description="Dasar hukum, one line each.")
    document_url: str = Field(default="", description="Prefix of the address in the QR for verification.")
    state_directory: str = Field(pattern=r"^/", description="Where the worker keeps staging, scratch and forms.")
    catalog: SecretReference | None = Field(
        default=None, description="Reference to the catalog's URL; empty means SQLite in the state directory."
    )
    prefect_database: SecretReference | None = Field(
        default=None,
        description="Reference to the URL of Prefect's database, backed up with the catalog; empty: it is not, and "
        "doctor calls that a problem.",
    )
    records: OwnRecordsSettings = Field(
        default_factory=OwnRecordsSettings, description="How long the installation's own records stay."
    )
    backup_name: str = Field(
        default="{application}_{component}_full_{moment}", description="Pattern of backup names (SOP step 3)."
    )
    numbers: NumberPatterns = Field(default_factory=NumberPatterns, description="Patterns of form numbers.")
    approvals: ApprovalSettings = Field(default_factory=ApprovalSettings, description="Rules of approvals.")
    working_days: Literal["kerja", "kalender"] = Field(default="kerja", description="How '1 hari' is counted.")
    components_at_once: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Components that a backup works on at the same time; one keeps about one core busy.",
    )
    destruction_cron: str = Field(
        default="",
        description="When what may be destroyed is drawn up, in cron's five fields, in WIB; empty: when it is started.",
    )
    timed_automations: bool = Field(
        default=True,
        description="Automations that wait for what does not happen; off where Prefect's server runs on SQLite.",
    )
    notice_targets: list[SecretReference] = Field(
        default_factory=list,
        description="References to Apprise URLs that get the office's notices, and every notice to requesters.",
    )
