-- Question: how was the gradient health of one trial judged while it trained, and why?
-- Parameters: $trial_id.
-- One row per judgement, in order: the untrained net, each change, the end. layer is the one at
-- fault; advice, which also ends the reason, is what the rules suggest.
select update as updates, verdict, layer, reason, coalesce(evidence ->> '$.advice', '') as advice
from verdicts
where trial_id = $trial_id
order by updates
