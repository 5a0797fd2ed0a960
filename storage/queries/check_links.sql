-- Question: does every row belong to something that is there, and do the store's books agree?
-- Parameters: none.
-- One row per kind of mistake: how many rows have it, and the id of one. In a sound store found
-- is 0 everywhere.
with mistakes(kind, id) as (
    select 'steps of no trial', trial_id from steps anti join trials using (trial_id)
    union all
    select 'layers of no trial', trial_id from layers anti join trials using (trial_id)
    union all
    select 'probes of no trial', trial_id from probes anti join trials using (trial_id)
    union all
    select 'predictions of no trial', trial_id from predictions anti join trials using (trial_id)
    union all
    select 'verdicts of no trial', trial_id from verdicts anti join trials using (trial_id)
    union all
    select 'summaries of no trial', trial_id from summaries anti join trials using (trial_id)
    union all
    select 'places of no trial', trial_id from sweep_trials anti join trials using (trial_id)
    union all
    select 'places of no sweep', sweep_id from sweep_trials anti join sweeps using (sweep_id)
    union all
    select 'trials of no sweep', trial_id from trials anti join sweep_trials using (trial_id)
    union all
    select 'sweeps of no trial', sweep_id from sweeps anti join sweep_trials using (sweep_id)
    union all
    select 'trials entered twice', trial_id from trials group by trial_id having count(*) > 1
    union all
    select 'sweeps entered twice', sweep_id from sweeps group by sweep_id having count(*) > 1
    union all
    select 'places entered twice', sweep_id
    from sweep_trials group by sweep_id, trial_id having count(*) > 1
    union all
    select 'writers entered twice or with nothing', writer
    from ledger group by writer having count(*) > 1 or min(sequence) < 1
    union all
    -- The end of a trial is a flush of its writer, so the ledger knows that writer.
    select 'ends that the ledger does not know', trial_id
    from trials anti join ledger using (writer) where outcome is not null and writer is not null
    union all
    select 'ends of trials that nobody began', trial_id
    from trials where outcome is not null and attempt = 0
    union all
    select 'trials without an end in a sweep that is done', trial_id
    from sweeps join sweep_trials using (sweep_id) join trials using (trial_id)
    where sweeps.status = 'done' and trials.outcome is null
),
kinds as (
    select unnest([
        'steps of no trial', 'layers of no trial', 'probes of no trial',
        'predictions of no trial', 'verdicts of no trial', 'summaries of no trial',
        'places of no trial', 'places of no sweep', 'trials of no sweep', 'sweeps of no trial',
        'trials entered twice', 'sweeps entered twice', 'places entered twice',
        'writers entered twice or with nothing', 'ends that the ledger does not know',
        'ends of trials that nobody began', 'trials without an end in a sweep that is done'
    ]) as kind
)
select kind, count(id) as found, min(id) as example
from kinds
left join mistakes using (kind)
group by kind
order by kind
