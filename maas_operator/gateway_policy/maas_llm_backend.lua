--- Sends one batch of token counts through APIcast's own backend client and judges the outcome.
local backend_client = require("apicast.backend_client")
local resty_backend = require("resty.http_ng.backend.resty")
local usage = require("maas_llm_usage")
local ngx, pairs, min = ngx, pairs, math.min

local _M = {}

-- A connection that cannot be opened must be told from an answer that does not come: both are a "timeout".
local CONNECT_TIMEOUT = 5

--- An http_ng backend with our own timeouts: the client offers no way to set them.
local function with_timeout(seconds)
  local opts = { connect_timeout = min(CONNECT_TIMEOUT, seconds / 2), send_timeout = seconds, read_timeout = seconds }
  return {
    send = function(_, request)
      request.proxy_options = { upstream_connection_opts = opts }
      return resty_backend:send(request)
    end,
  }
end

local function reports_of(batch)
  local values = {}
  for metric, amount in pairs(batch.amounts) do
    if amount > 0 then values[metric] = usage.digits(amount) end
  end
  -- Shaped like a ReportsBatch, whose constructor would turn the digits back into a number (1e+15).
  return {
    service_id = batch.service.id,
    credentials_type = batch.credential_type,
    reports = { [batch.credential] = values },
  }
end

--- Judges a response that took `elapsed` seconds; see maas_llm_reporter for the outcomes.
function _M.outcome(response, elapsed, timeout)
  local status = response and response.status or 0
  if status >= 200 and status < 300 then return "sent" end
  if status == 504 then return "lost", "unknown_outcome" end
  if status >= 500 or status == 429 then return "retry", "status_" .. status end
  if status > 0 then return "lost", "status_" .. status end
  -- The report went out, but no answer came in time: backend may have counted it.
  if response and response.error == "timeout" and elapsed > timeout * 0.9 then return "lost", "unknown_outcome" end
  return "retry", "connection"
end

--- Sends a batch; returns "sent", "retry" or "lost", and a reason.
function _M.send(batch)
  local client = backend_client:new(batch.service, with_timeout(batch.timeout))
  if not client then return "retry", "no_client" end
  ngx.update_time()
  local began = ngx.now()
  local response = client:report(reports_of(batch))
  ngx.update_time()
  return _M.outcome(response, ngx.now() - began, batch.timeout)
end

return _M
