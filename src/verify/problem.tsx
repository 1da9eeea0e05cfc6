type Problem = string | undefined;

/** Says at the top of a page what has to be changed and why, and leads to the field. */
export function ProblemSummary({
  title,
  field,
  problem,
}: {
  title: string;
  field: string;
  problem: Problem;
}) {
  if (problem === undefined) return null;
  return (
    <div class="note problem" role="alert" aria-labelledby="problem">
      <h2 id="problem">{title}</h2>
      <p>
        <a href={`#${field}`}>{problem}</a>
      </p>
    </div>
  );
}

/** Says the same at the field itself. */
export function FieldProblem({ field, problem }: { field: string; problem: Problem }) {
  if (problem === undefined) return null;
  return (
    <p class="problem" id={`${field}-problem`}>
      {problem}
    </p>
  );
}

/** What a field must say to belong to its hint, and to its problem if there is one. */
export function describedBy(field: string, problem: Problem) {
  if (problem === undefined) return { 'aria-describedby': `${field}-hint` };
  return { 'aria-describedby': `${field}-hint ${field}-problem`, 'aria-invalid': true, autofocus: true };
}
