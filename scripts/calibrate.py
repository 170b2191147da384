"""Make a model's calibration file: `python scripts/calibrate.py smollm2-135m`.

The model answers the prompts of entropix_mlx/calibrations/prompts.txt with plain temperature
sampling. Thresholds are fitted to three answers of four; the regions' shares are those of the
fourth. Takes about ten minutes for the embedded model on two CPU cores. Same seed, same file.
"""

import argparse
from importlib import resources
from pathlib import Path

import msgspec

import entropix_mlx as ex
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.sampling.fitting import fit

FOLDER = Path(__file__).parent.parent / "entropix_mlx" / "calibrations"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=96, help="per answer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()

    text = (resources.files("entropix_mlx") / "calibrations" / "prompts.txt").read_text("utf-8")
    prompts = text.splitlines()
    sampler = {"temperature": 0.7, "min_p": 0.03}
    with stderr_progress() as progress:
        model = ex.load(options.model, progress=progress)
        answers = []
        for i, prompt in enumerate(prompts):
            progress("answering prompts", i, len(prompts))
            tokens = ex.generate(
                model,
                prompt,
                sampler="temperature",
                settings=sampler,
                seed=options.seed + i,
                max_tokens=options.tokens,
            )
            answers.append(list(tokens))
    calibration = fit(
        [answer for i, answer in enumerate(answers) if i % 4 != 3],
        [answer for i, answer in enumerate(answers) if i % 4 == 3],
        model=model.info.name,
        revision=model.info.revision,
        quantization=model.info.quantization,
        source={
            "prompts": len(prompts),
            "tokens": sum(map(len, answers)),
            "sampler": "temperature 0.7, min_p 0.03",
            "seed": options.seed,
            "device": model.device.kind,
            "dtype": model.info.dtype,
        },
    )
    path = options.out / f"{calibration.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=2) + b"\n")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in calibration.shares.items())
    print(f"{path.name}: {shares}")


if __name__ == "__main__":
    main()
