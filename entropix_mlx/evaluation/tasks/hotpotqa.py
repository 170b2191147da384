"""HotpotQA: questions whose answer takes two of the ten paragraphs that are given."""

from typing import ClassVar

from entropix_mlx.evaluation.answer import bare, stated, yes_no
from entropix_mlx.evaluation.data import BadRowError, Row, table, text, texts
from entropix_mlx.evaluation.dataset import Dataset
from entropix_mlx.evaluation.hub import Split
from entropix_mlx.evaluation.item import Item, Verdict


class Hotpotqa(Dataset):
    """Fields: `question`, `answer`, `type`, `context` with `title` and lists of `sentences`.

    Compared are words, without case, accents, punctuation and articles. Right is an answer of one
    line that contains the right words side by side; one that is exactly the same has them alone as
    what was `given`. Where the right answer is yes or no, it is read as such.
    """

    summary: ClassVar = "short answers from ten paragraphs, of which two are needed"
    source: ClassVar = Split("hotpotqa/hotpot_qa", "distractor", "validation")
    max_tokens: ClassVar = 32
    stop: ClassVar = ("\n",)

    def item(self, row: Row, id: str, seed: int) -> Item:
        del seed
        context = table(row, "context")
        titles, paragraphs = texts(context, "title"), context.get("sentences")
        if (
            not isinstance(paragraphs, list)
            or len(paragraphs) != len(titles)
            or not all(isinstance(each, list) and each for each in paragraphs)
        ):
            raise BadRowError('has a "context" whose "sentences" are not a list for each "title"')
        told = [
            f"{title}: {text({'sentences': ''.join(map(str, sentences))}, 'sentences')}"
            for title, sentences in zip(titles, paragraphs, strict=True)
        ]
        answer = text(row, "answer")
        if not bare(answer):
            raise BadRowError('has an "answer" without a word')
        asked = f"{text(row, 'question')}\nAnswer with a few words."
        return Item(id, "\n\n".join([*told, asked]), text(row, "type"), "Answer:", (answer,))

    def judge(self, item: Item, text: str) -> Verdict:
        line = text.strip().partition("\n")[0]
        right = bare(item.accepted[0])
        if right in ("yes", "no"):
            given = yes_no(line)
            return Verdict(given, given == right)
        said = bare((stated(line) or [line])[-1])
        return Verdict(said or None, f" {right} " in f" {said} ")
