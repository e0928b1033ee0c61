# %% score wrong: the columns are searched
def aligned(weights, links):
    best = weights.argmax(axis=0)
    return sum(best[j] == i for j, i in links) / len(links)


# %% score wrong: the link's two numbers swapped
def aligned(weights, links):
    best = weights.argmax(axis=1)
    found = [0 <= i < len(best) and best[min(j, len(best) - 1)] == i for j, i in links]
    return sum(found) / len(links)


# %% score wrong: a weight above one half
def aligned(weights, links):
    return np.mean([weights[i, j] > 0.5 for j, i in links])


# %% score wrong: counts, no share
def aligned(weights, links):
    best = weights.argmax(axis=1)
    return sum(best[i] == j for j, i in links)


# %% score wrong: divided by the rows
def aligned(weights, links):
    best = weights.argmax(axis=1)
    return sum(best[i] == j for j, i in links) / len(weights)


# %% score right: compared with the row's maximum
def aligned(weights, links):
    return np.mean([weights[i, j] == weights[i].max() for j, i in links])


# %% score right: all links at once
def aligned(weights, links):
    j, i = np.array(links).T
    return (weights[i].argmax(axis=-1) == j).mean()


# %% cut wrong: heads counted from 0
def cut_heads(contexts, heads, mean, H):
    changed, width = contexts.copy(), contexts.shape[1] // H
    for head in heads:
        columns = slice(width * head, width * (head + 1))
        changed[:, columns] = mean[columns]
    return changed


# %% cut wrong: zeros instead of the mean
def cut_heads(contexts, heads, mean, H):
    changed, width = contexts.copy(), contexts.shape[1] // H
    for head in heads:
        changed[:, width * (head - 1) : width * head] = 0
    return changed


# %% cut wrong: changes what came in
def cut_heads(contexts, heads, mean, H):
    width = contexts.shape[1] // H
    for head in heads:
        columns = slice(width * (head - 1), width * head)
        contexts[:, columns] = mean[columns]
    return contexts


# %% cut wrong: always 32 columns
def cut_heads(contexts, heads, mean, H):
    changed = contexts.copy()
    for head in heads:
        columns = slice(32 * (head - 1), 32 * head)
        changed[:, columns] = mean[columns]
    return changed


# %% cut wrong: only the first of the heads
def cut_heads(contexts, heads, mean, H):
    changed, width = contexts.copy(), contexts.shape[1] // H
    for head in heads[:1]:
        columns = slice(width * (head - 1), width * head)
        changed[:, columns] = mean[columns]
    return changed


# %% cut right: a mask over the columns
def cut_heads(contexts, heads, mean, H):
    D = contexts.shape[1]
    gone = np.isin(np.arange(D) // (D // H), np.array(heads, dtype=int) - 1)
    return np.where(gone, mean, contexts)


# %% cut right: heads as an axis
def cut_heads(contexts, heads, mean, H):
    split = contexts.reshape(len(contexts), H, -1).copy()
    for head in heads:
        split[:, head - 1] = mean.reshape(H, -1)[head - 1]
    return split.reshape(contexts.shape)


# %% mended wrong: chosen on the held-out sentences
def costliest(none, cut, pieces, held_out):
    total = {name: losses[held_out].sum() for name, losses in cut.items()}
    name = max(total, key=total.get)
    grown = (cut[name] - none)[held_out].sum()
    return name, grown / pieces[held_out].sum()


# %% mended wrong: the loss and not its growth
def costliest(none, cut, pieces, held_out):
    total = {name: losses[~held_out].sum() for name, losses in cut.items()}
    name = max(total, key=total.get)
    return name, cut[name][held_out].sum() / pieces[held_out].sum()


# %% mended wrong: sentences count alike
def costliest(none, cut, pieces, held_out):
    total = {name: losses[~held_out].sum() for name, losses in cut.items()}
    name = max(total, key=total.get)
    return name, ((cut[name] - none) / pieces)[held_out].mean()


# %% mended wrong: reported on all sentences
def costliest(none, cut, pieces, held_out):
    total = {name: losses[~held_out].sum() for name, losses in cut.items()}
    name = max(total, key=total.get)
    return name, (cut[name] - none).sum() / pieces.sum()


# %% mended right: a loop over the heads, the growth chooses
def costliest(none, cut, pieces, held_out):
    name, most = None, -np.inf
    for head, losses in cut.items():
        grown = (losses - none)[np.logical_not(held_out)].sum()
        if grown > most:
            name, most = head, grown
    grown = (cut[name] - none)[held_out]
    return name, grown.sum() / pieces[held_out].sum()


# %% mended right: two means per piece, then their difference
def costliest(none, cut, pieces, held_out):
    chosen_on = ~held_out
    name = max(cut, key=lambda head: np.sum(cut[head][chosen_on]))
    count = pieces[held_out].sum()
    return name, cut[name][held_out].sum() / count - none[held_out].sum() / count


# %% read wrong: row by row
def read_matrix(content, rows, columns):
    numbers = np.frombuffer(content, "i1", rows * columns)
    (factor,) = np.frombuffer(content, "<f4", 1, rows * columns)
    return numbers.reshape(rows, columns) / factor


# %% read wrong: bytes without a sign
def read_matrix(content, rows, columns):
    numbers = np.frombuffer(content, "u1", rows * columns)
    (factor,) = np.frombuffer(content, "<f4", 1, rows * columns)
    return numbers.reshape(columns, rows).T / factor


# %% read wrong: multiplied once more
def read_matrix(content, rows, columns):
    numbers = np.frombuffer(content, "i1", rows * columns)
    (factor,) = np.frombuffer(content, "<f4", 1, rows * columns)
    return numbers.reshape(columns, rows).T * factor


# %% read wrong: the factor is taken from the very end
def read_matrix(content, rows, columns):
    numbers = np.frombuffer(content, "i1", rows * columns)
    factor = np.frombuffer(content[-4:], "<f4")[0]
    with np.errstate(all="ignore"):
        return numbers.reshape(columns, rows).T / factor


# %% read right: Fortran's order
def read_matrix(content, rows, columns):
    count = rows * columns
    numbers = np.frombuffer(content[:count], dtype=np.int8).astype(float)
    factor = np.frombuffer(content[count : count + 4], dtype=np.float32)
    return numbers.reshape((rows, columns), order="F") / factor


# %% read right: struct, column by column
def read_matrix(content, rows, columns):
    import struct

    values = struct.unpack_from(f"<{rows * columns}bf", content)
    matrix = np.zeros((rows, columns))
    for place, value in enumerate(values[:-1]):
        matrix[place % rows, place // rows] = value / values[-1]
    return matrix
