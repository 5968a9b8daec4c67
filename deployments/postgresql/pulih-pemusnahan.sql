-- What the account that destroys sets may do in a catalog in PostgreSQL, and nothing else (docs/retention.md).
-- Run it as the owner of the tables, which is the account that ran `pulih apply`, when the role is there; again after
-- `pulih apply` of a new release, and after a rebuild. Running it again changes nothing more.

BEGIN;

-- Servers before PostgreSQL 15 let everybody make tables here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "pulih-pemusnahan";

-- It reads all: a plan is made of everything, and every procedure ends with a copy of the catalog in the stores.
GRANT USAGE ON SCHEMA public TO "pulih-pemusnahan";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO "pulih-pemusnahan";

-- What it adds: its procedures with plan, question, answer and form, what became of each set, and the ledger's entries.
GRANT INSERT ON approval_requests, burnt_codes, decisions, destructions, forms, leases, ledger, number_sequences,
    procedures TO "pulih-pemusnahan";

-- What it changes: how these went on, wrong codes of an official, and that a backup is destroyed. It deletes nothing.
GRANT UPDATE (state, outcome, closed_at) ON procedures TO "pulih-pemusnahan";
GRANT UPDATE (state, complaint) ON approval_requests TO "pulih-pemusnahan";
GRANT UPDATE (state, detail, ended_at) ON destructions TO "pulih-pemusnahan";
GRANT UPDATE (holder, token, taken_at, expires_at, purpose) ON leases TO "pulih-pemusnahan";
GRANT UPDATE (last) ON number_sequences TO "pulih-pemusnahan";
GRANT UPDATE (failures, locked_until) ON officials TO "pulih-pemusnahan";
GRANT UPDATE (state) ON backups TO "pulih-pemusnahan";

-- And of these rows only its own. The tables' owner is not bound by policies; other roles read as far as they may.
ALTER TABLE approval_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE backups ENABLE ROW LEVEL SECURITY;
ALTER TABLE decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE forms ENABLE ROW LEVEL SECURITY;
ALTER TABLE leases ENABLE ROW LEVEL SECURITY;
ALTER TABLE number_sequences ENABLE ROW LEVEL SECURITY;
ALTER TABLE procedures ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS reading ON approval_requests;
DROP POLICY IF EXISTS reading ON backups;
DROP POLICY IF EXISTS reading ON decisions;
DROP POLICY IF EXISTS reading ON forms;
DROP POLICY IF EXISTS reading ON leases;
DROP POLICY IF EXISTS reading ON number_sequences;
DROP POLICY IF EXISTS reading ON procedures;
CREATE POLICY reading ON approval_requests FOR SELECT USING (true);
CREATE POLICY reading ON backups FOR SELECT USING (true);
CREATE POLICY reading ON decisions FOR SELECT USING (true);
CREATE POLICY reading ON forms FOR SELECT USING (true);
CREATE POLICY reading ON leases FOR SELECT USING (true);
CREATE POLICY reading ON number_sequences FOR SELECT USING (true);
CREATE POLICY reading ON procedures FOR SELECT USING (true);

DROP POLICY IF EXISTS destroying ON approval_requests;
DROP POLICY IF EXISTS destroying ON backups;
DROP POLICY IF EXISTS destroying ON decisions;
DROP POLICY IF EXISTS destroying ON forms;
DROP POLICY IF EXISTS destroying ON leases;
DROP POLICY IF EXISTS destroying ON number_sequences;
DROP POLICY IF EXISTS destroying ON procedures;
CREATE POLICY destroying ON approval_requests TO "pulih-pemusnahan" USING (step_id = 'retention.approve');
CREATE POLICY destroying ON backups FOR UPDATE TO "pulih-pemusnahan"
    USING (state = 'secured') WITH CHECK (state = 'destroyed');
CREATE POLICY destroying ON decisions FOR INSERT TO "pulih-pemusnahan" WITH CHECK (step_id = 'retention.approve');
CREATE POLICY destroying ON forms FOR INSERT TO "pulih-pemusnahan" WITH CHECK (kind = 'destruction');
CREATE POLICY destroying ON leases TO "pulih-pemusnahan" USING (resource = 'retention' OR resource LIKE 'set:%');
CREATE POLICY destroying ON number_sequences TO "pulih-pemusnahan" USING (series = 'destruction');
CREATE POLICY destroying ON procedures TO "pulih-pemusnahan" USING (kind = 'retention');

COMMIT;
