-- Which versions of the libraries a sweep was started with: a report must be able to name them.
alter table sweeps add column software json;    -- {"python": "3.11.7", "torch": "2.13.0", …}; NULL: not recorded
