"""Where nbgrader finds the exercises and what it puts in an answer's place."""

c = get_config()  # noqa: F821  (nbgrader provides it)

c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("Write your answer here.")'
}
c.ClearSolutions.text_stub = "*Write your answer here.*"
