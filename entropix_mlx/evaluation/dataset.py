"""Tasks whose items are rows: of a data set on the Hub, or of a file that has the same fields."""

from abc import abstractmethod
from typing import ClassVar

from entropix_mlx.evaluation import hub
from entropix_mlx.evaluation.data import Row, lines, sample
from entropix_mlx.evaluation.item import Item, Items
from entropix_mlx.evaluation.task import Task
from entropix_models.progress import Progress, quiet


class Dataset(Task):
    """A split of a data set, of which a sample is asked."""

    argument: ClassVar = "FILE"
    source: ClassVar[hub.Split]

    @abstractmethod
    def item(self, row: Row, id: str, seed: int) -> Item:
        """Raises BadRowError."""

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        def made(row: Row, where: str) -> Item:
            return self.item(row, where.replace(" ", "-"), seed)

        if self.given is not None:
            return sample(lines(self.given, progress), made, n, seed, self.given)
        rows = hub.rows(self.source, self.name, progress)
        return sample(rows, made, n, seed, self.source.repository)
