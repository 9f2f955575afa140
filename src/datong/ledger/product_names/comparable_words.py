"""Words as they are compared, whoever wrote them."""

import re
import unicodedata
from functools import lru_cache

# Characters of traditional Chinese and of Japanese, and those of simplified Chinese that stand for them in the lists.
_SIMPLER = str.maketrans(
    "訂單狀態編號數價總計銷貨類時間發運關閉務買賣實額稱產門際開無會員區國備註說週達確認處應購轉帳專業條碼規訖審經倉庫揀儲預評還繳讓損贈進個雙張組種項級稅離廢過錢費優點線網場採創參將來從樣調節済売価単図応発伝隻寶貝顧餘終結資訊標題劃圖樓層縣鄉減貼補歸檔換請聯絡",
    "订单状态编号数价总计销货类时间发运关闭务买卖实额称产门际开无会员区国备注说周达确认处应购转账专业条码规讫审经仓库拣储预评还缴让损赠进个双张组种项级税离废过钱费优点线网场采创参将来从样调节济卖价单图应发传只宝贝顾余终结资讯标题划图楼层县乡减贴补归档换请联络",
)
# The same, and letters that stay what they are without their accents.
_PLAINER = _SIMPLER | str.maketrans({"ß": "ss", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "ı": "i", "đ": "d", "Đ": "d"})


@lru_cache(maxsize=100_000)
def plain(text: str) -> str:
    """Text as it is compared: full-width as plain characters, without accents and case, single blanks between words;
    Chinese in simplified characters."""
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).translate(_PLAINER))
    text = unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
    return " ".join(re.sub(r"[_\-‐‑]", " ", text.casefold()).split())
