"""Hari libur nasional dan cuti bersama 2027. Perkiraan: belum menurut SKB Tiga Menteri."""

ESTIMATED = True

DAYS = {
    "2027-01-01": "Tahun Baru Masehi",
    "2027-01-05": "Isra Mikraj Nabi Muhammad",
    "2027-02-05": "Cuti Bersama Tahun Baru Imlek",
    "2027-02-06": "Tahun Baru Imlek",
    "2027-03-08": "Hari Suci Nyepi",
    "2027-03-09": "Cuti Bersama Hari Raya Idul Fitri",
    "2027-03-10": "Hari Raya Idul Fitri (perkiraan)",
    "2027-03-11": "Hari kedua dari Hari Raya Idul Fitri (perkiraan)",
    "2027-03-12": "Cuti Bersama Hari Raya Idul Fitri",
    "2027-03-15": "Cuti Bersama Hari Raya Idul Fitri",
    "2027-03-25": "Cuti Bersama Wafat Yesus Kristus",
    "2027-03-26": "Wafat Yesus Kristus",
    "2027-03-28": "Kebangkitan Yesus Kristus",
    "2027-05-01": "Hari Buruh Internasional",
    "2027-05-06": "Kenaikan Yesus Kristus",
    "2027-05-17": "Hari Raya Idul Adha (perkiraan)",
    "2027-05-18": "Cuti Bersama Hari Raya Idul Adha",
    "2027-05-19": "Cuti Bersama Hari Raya Waisak",
    "2027-05-20": "Hari Raya Waisak",
    "2027-06-01": "Hari Lahir Pancasila",
    "2027-06-06": "Tahun Baru Islam",
    "2027-08-15": "Maulid Nabi Muhammad",
    "2027-08-17": "Hari Kemerdekaan Republik Indonesia",
    "2027-12-24": "Cuti Bersama Hari Raya Natal",
    "2027-12-25": "Hari Raya Natal",
    "2027-12-26": "Isra Mikraj Nabi Muhammad",
}
