-- One check for ModelService, ModelSubscription and ModelPlatform. Argo CD itself reports what is being deleted.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready or {}
local reconciling = conditions.Reconciling or {}
local stalled = conditions.Stalled or {}

-- A person decides when these go on.
local left_to_a_person = { ApprovalPending = true, Suspended = true }

if ready.status == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not seen this generation yet" }
end
if obj.spec ~= nil and (obj.spec.managementPolicy or "Active") ~= "Active" then
  return { status = "Suspended", message = reconciling.message }
end
if stalled.status == "True" then
  return { status = "Degraded", message = stalled.message }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if reconciling.status ~= "True" or left_to_a_person[ready.reason] then
  return { status = "Suspended", message = ready.message }
end
return { status = "Progressing", message = ready.message }
