"""What an alert says to the officer, in Arabic and in English: which rule, and the threshold that was passed."""

from collections.abc import Mapping
from typing import Final

from vault.access.detection import Rule

SENTENCES: Final[Mapping[Rule, tuple[str, str]]] = {
    "bulk": (
        "تجاوز عدد من طُلبت بياناتهم في ساعة واحدة الحدَّ المقرر، وهو {limit}.",
        "More people's data was asked for within one hour than the threshold of {limit}.",
    ),
    "enumeration": (
        "تجاوز عدد عمليات البحث التي لم تدل على أحد في عشر دقائق الحدَّ المقرر، وهو {limit}؛ فلعل أحدًا يجرّب القيم.",
        "More searches told of nobody within ten minutes than the threshold of {limit}: somebody may be trying values out.",
    ),
    "off_hours": (
        "طُلبت بيانات خارج أيام العمل وساعاته بتوقيت الرياض.",
        "Data was asked for outside the working days and hours, by the clock of Riyadh.",
    ),
    "after_withdrawal": (
        "طُلبت بيانات شخص بعد عدوله عن موافقته، ولم تمض على العدول المدة المقررة بالساعات، وهي {limit}.",
        "The data of a person was asked for after she withdrew a consent, within the declared number of hours, {limit}.",
    ),
    "break_glass": (
        "فُتحت بيانات بإجراء الطوارئ، وكل استعمال له يستوجب المراجعة.",
        "Data was opened by the emergency procedure, and every use of it is to be reviewed.",
    ),
    "questions": (
        "تجاوز عدد الأسئلة المطروحة عن شخص واحد في يوم واحد الحدَّ المقرر، وهو {limit}؛ فلعل أحدًا يستنتج بياناته من الأجوبة.",
        "More questions were asked about one person in one day than the limit of {limit}: somebody may be putting her data together.",
    ),
    "canary": (
        "طُلبت بيانات سجل موضوع للرصد لا يقتضي العمل أن يطلبه أحد.",
        "A record was asked for that was laid out as a canary: no work leads to it.",
    ),
    "breach_clock": (
        "عدد الساعات التي مضت على العلم بحادثة، أو بتسرب بلَّغ عنه بلاغ لم تُفتح به حادثة، ولم يُستكمل الإشعار: {limit}.",
        "An incident, or a report of a breach in no incident, that somebody is still to be told of: hours passed since awareness: {limit}.",
    ),
    "report_clock": (
        "بلاغ مضت المهلة المقررة لتقييمه أو للرد على صاحبه، وهي بالساعات: {limit}.",
        "A report whose time for being judged or answered is over: hours set for it: {limit}.",
    ),
}


def say(rule: Rule, limit: int) -> dict[str, str]:
    """The sentence of an alert in both languages."""
    arabic, english = SENTENCES[rule]
    return {"ar": arabic.format(limit=limit), "en": english.format(limit=limit)}
