"""Writes text_scores.json: texts, references, and what sacreBLEU makes of them (pip install sacrebleu)."""

import json
import random

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

words = """the a quick, brown fox. jumps over 3.14 1,000 lazy-dogs don't e.g. U.S. $5 10-20 (well) "quoted" naïve 漢字 a&b &amp;
&quot;so&quot; x/y {z} [0] 50% end! why? it's -- ... ,5 7. 8, 1.2.3 <skipped> Übergrößen tab\tstop ~tilde C++ #1 @home""".split(" ")
random.seed(7)


def sentence(least=0, most=25):
    return " ".join(random.choice(words) for _ in range(random.randint(least, most)))


def changed(text, rate):
    out = []
    for word in text.split(" "):
        draw = random.random()
        if draw < rate / 3:
            continue
        out.append(random.choice(words) if draw < 2 * rate / 3 else word)
        if draw > 1 - rate / 3:
            out.append(random.choice(words))
    return " ".join(out)


corpora = []
for name, count, rate in [("near", 20, 0.1), ("far", 20, 0.6), ("short", 6, 0.4), ("alike", 5, 0), ("unlike", 3, 1.5)]:
    references = [sentence(1, 4 if name == "short" else 25) for _ in range(count)]
    corpora.append((name, [changed(reference, rate) for reference in references], references))
corpora.append(("empty texts", ["", "", "a b c d e"], ["the end", "a", "a b c d f"]))
corpora.append(("nothing", ["", ""], ["the end", "a"]))
corpora.append(("two words", ["a b", "b"], ["a c", "b"]))
corpora.append(("letters", ["abcdefgh", "zyx"], ["abcdefg", "zyxw"]))

bleu, chrf, tokenizer = BLEU(), CHRF(), Tokenizer13a()
result = {
    "corpora": [
        {
            "name": name, "said": said, "references": references,
            "bleu": bleu.corpus_score(said, [references]).score, "chrf": chrf.corpus_score(said, [references]).score,
        }
        for name, said, references in corpora
    ],
    "tokens": [{"text": text, "words": tokenizer(text.rstrip()).split()} for text in words + [sentence() for _ in range(20)]],
    "signatures": [str(metric.get_signature()).rsplit("|version", 1)[0] for metric in (bleu, chrf)],
}
with open("text_scores.json", "w", encoding="utf-8") as file:
    json.dump(result, file, ensure_ascii=False, indent=1)
    file.write("\n")
