"""Hari libur nasional dan cuti bersama 2025."""

ESTIMATED = False

DAYS = {
    "2025-01-01": "Tahun Baru Masehi",
    "2025-01-27": "Isra Mikraj Nabi Muhammad",
    "2025-01-28": "Cuti Bersama Tahun Baru Imlek",
    "2025-01-29": "Tahun Baru Imlek",
    "2025-03-28": "Cuti Bersama Hari Suci Nyepi",
    "2025-03-29": "Hari Suci Nyepi",
    "2025-03-31": "Hari Raya Idul Fitri",
    "2025-04-01": "Hari kedua dari Hari Raya Idul Fitri",
    "2025-04-02": "Cuti Bersama Hari Raya Idul Fitri",
    "2025-04-03": "Cuti Bersama Hari Raya Idul Fitri",
    "2025-04-04": "Cuti Bersama Hari Raya Idul Fitri",
    "2025-04-07": "Cuti Bersama Hari Raya Idul Fitri",
    "2025-04-18": "Wafat Yesus Kristus",
    "2025-04-20": "Kebangkitan Yesus Kristus",
    "2025-05-01": "Hari Buruh Internasional",
    "2025-05-12": "Hari Raya Waisak",
    "2025-05-13": "Cuti Bersama Hari Raya Waisak",
    "2025-05-29": "Kenaikan Yesus Kristus",
    "2025-05-30": "Cuti Bersama Kenaikan Yesus Kristus",
    "2025-06-01": "Hari Lahir Pancasila",
    "2025-06-06": "Hari Raya Idul Adha",
    "2025-06-09": "Cuti Bersama Hari Raya Idul Adha",
    "2025-06-27": "Tahun Baru Islam",
    "2025-08-17": "Hari Kemerdekaan Republik Indonesia",
    "2025-08-18": "Cuti Bersama Hari Kemerdekaan Republik Indonesia",
    "2025-09-05": "Maulid Nabi Muhammad",
    "2025-12-25": "Hari Raya Natal",
    "2025-12-26": "Cuti Bersama Hari Raya Natal",
}
