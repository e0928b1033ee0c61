"""What holds for every test: progress bars leave no trace in a notebook's output."""

import os

os.environ["TQDM_DISABLE"] = "1"  # the notebooks' kernels inherit it
