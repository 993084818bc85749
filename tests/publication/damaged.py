"""One invented policy with everything that scanners, old programs and editors do to a text; no association's words."""

BOM, RLO, LRM, ZWNJ, PDF = "\ufeff", "\u202e", "\u200e", "\u200c", "\u202c"
LOST, BULLET, TAG = "\ufffd", "\uf0b7", "\U000e0041"

DAMAGED = (
    f"{BOM}جمعية مُتخيَّلة للتجربة\r\n"
    "البريد: policy@example.org\r\n"
    "Imagined Association (a test, nothing else).\r\n"
    "\r\n\r\n\r\n"
    "سيـــاسة خصـوصية البيـانات\n"  # tatweel
    # presentation forms, a lam-alef among them, and a ligature that is a whole word
    "\ufe8d\ufedf\ufe92\ufef4\ufe8e\ufee7\ufe8e\ufe95 \ufe97\ufea4\ufed4\ufec6 "
    "\ufe91\ufeb4\ufeae\ufef3\ufe94 \ufef7\ufebb\ufea4\ufe8e\ufe91\ufeec\ufe8e \ufdf2\n"
    f"{BULLET} المستفيد مستفید غیر مباشر، والكتابُ والكِتابًا\n"  # a private bullet, Farsi yeh, marks
    "١. المادة 2 من اللائحة ۳ لعام ١٤٤5هـ = 2024 م، مساحة 10² م² و½\n"  # three systems of digits in one line, superscripts
    f"2 .تمهيد{LOST} ........................................................................ ٣\n"
    "الءءماء المءءملة ءءءء آءاءها\n"  # a scan that read one letter for five
    f"رقم {LRM}0000000000{LRM} والرمز مي{ZWNJ}خواهم\n"
    "\f"
    "الصفحة ٢\u2028سطر بفاصل يونيكود\x85سطر آخر\v وآخر\n"
    f"\tجدول\tمكسور\t{RLO}مقلوب{PDF} نهاية{TAG}\n"
    "حرف تحكم\x02 هنا\x1f\n"
    "\x1e\n"
    "   - بند تحت بند\n"
    "<script>alert(1)</script> & \"اقتباس\" 'مفرد'\n"
    "\f\f"
)
