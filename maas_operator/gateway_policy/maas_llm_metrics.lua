--- The policy's Prometheus counters. Without a metrics port APIcast has no Prometheus: then nothing is counted here.
local prometheus = require("apicast.prometheus")
local sha1_bin, gsub, format, byte, sub = ngx.sha1_bin, string.gsub, string.format, string.byte, string.sub

local _M = {}

local PREFIX = "maas_llm_"
-- The dictionary of all counters is 16 MiB; beyond this many, new applications of a worker share one label.
local MAX_APPLICATIONS = 2000
local OTHER = "other"

local function labels(...)
  return { "service_id", "service_system_name", ... }
end

local function counter(name, help, ...)
  return prometheus("counter", PREFIX .. name, help, labels(...)) or false
end

local COUNTERS = {
  tokens = counter("tokens_total", "Tokens of answers by type", "type", "application"),
  answers = counter("answers_total", "Answers whose tokens were counted", "application"),
  missing_usage = counter("missing_usage_total", "Successful answers on inference paths without token usage"),
  parse_errors = counter("parse_errors_total", "Events or bodies of answers that are no JSON"),
  aborted = counter("aborted_total", "Answers that ended before they were complete"),
  reports = counter("reports_total", "Calls that brought token counts to the backend"),
  report_failures = counter("report_failures_total", "Failed calls to bring token counts to the backend", "reason"),
  unreported_tokens = counter("unreported_tokens_total", "Tokens that never reached the backend", "metric", "reason"),
  failures = counter("failures_total", "Failures inside the policy, by phase; no client noticed", "phase"),
}

--- Adds to a counter for a service (a table, or nil when unknown); more labels follow in the counter's order.
function _M.add(name, amount, service, ...)
  local found = COUNTERS[name]
  if not found or amount <= 0 then return end
  service = service or {}
  found:inc(amount, { service.id or "", service.system_name or "", ... })
end

local known, known_count = {}, 0

local function hex(bytes)
  return (gsub(bytes, ".", function(c) return format("%02x", byte(c)) end))
end

--- Returns the label of an application: a hash, because the credential itself is a secret.
function _M.application(service, credential)
  local id = service.id .. ":" .. credential
  local label = known[id]
  if label then return label end
  if known_count >= MAX_APPLICATIONS then return OTHER end
  known_count = known_count + 1
  known[id] = sub(hex(sha1_bin(id)), 1, 16)
  return known[id]
end

return _M
