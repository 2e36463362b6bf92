--- Counts the tokens of LLM answers and makes token limits work. Stands after `apicast` in the chain.
--
-- No phase ever raises: a failure here is counted and logged, and the client's call goes on.
local answer = require("maas_llm_answer")
local backend = require("maas_llm_backend")
local config = require("maas_llm_config")
local metrics = require("maas_llm_metrics")
local reporter = require("maas_llm_reporter")
local request = require("maas_llm_request")
local ngx, pcall, pairs, next, io = ngx, pcall, pairs, next, io

local policy = require("apicast.policy").new("MaaS LLM tokens", "1.0.0")
local new_policy = policy.new

local BLOCK = 65536

local function count_failure(phase, context, reason)
  metrics.add("failures", 1, context and context.service, phase)
  ngx.log(ngx.ERR, "token policy failed in ", phase, ": ", reason)
end

--- Runs a phase so that no error leaves it.
local function guarded(phase, run)
  return function(self, context)
    local ok, reason = pcall(run, self, context)
    if not ok then pcall(count_failure, phase, context, reason) end
  end
end

local function count_lost(batch, reason)
  for metric, amount in pairs(batch.amounts) do
    metrics.add("unreported_tokens", amount, batch.service, metric, reason)
  end
  ngx.log(ngx.ERR, "token counts of ", batch.answers, " answers of service ", batch.service.id, " are lost: ", reason)
end

-- One per worker: it outlives the policy's instances, which APIcast makes anew with each configuration.
local reports = reporter.new({
  timer = function(run) return ngx.timer.at(0, run) end,
  sleep = ngx.sleep,
  now = ngx.now,
  exiting = ngx.worker.exiting,
  send = backend.send,
  sent = function(batch) metrics.add("reports", 1, batch.service) end,
  failed = function(batch, reason, detail)
    metrics.add("report_failures", 1, batch and batch.service, reason)
    ngx.log(ngx.WARN, "reporting token counts failed: ", reason, detail and ": " or "", detail or "")
  end,
  lost = count_lost,
})

--- Makes a policy instance; raises on a wrong configuration.
function policy.new(configuration)
  local self = new_policy(configuration)
  self.settings = config.settings(configuration)
  return self
end

local function is_inference(self)
  return ngx.req.get_method() == "POST" and config.has_path(self.settings.inference_paths, ngx.var.uri)
end

--- Names the limited metrics in the pre-flight call, with nothing used: only limits of named metrics are checked.
-- Where no mapping rule matched, the usage stays empty: anything in it would turn APIcast's 404 into an allowed call.
policy.rewrite = guarded("rewrite", function(self, context)
  if not is_inference(self) then return end
  local state = { path = ngx.var.uri }
  context[self] = state
  local usage = context.usage
  if not usage or not next(usage.deltas) then return end
  for _, metric in ipairs(self.settings.limited_metrics) do
    if not usage.deltas[metric] then usage:add(metric, 0) end
  end
end)

--- Returns a function that gives the request body piece by piece, or nil when there is none.
local function body_pieces()
  local data = ngx.req.get_body_data()
  if data then
    return function()
      local piece = data
      data = nil
      return piece
    end
  end
  local name = ngx.req.get_body_file()
  local file = name and io.open(name, "rb")
  if not file then return nil end
  return function()
    local piece = file:read(BLOCK)
    if not piece then file:close() end
    return piece
  end
end

local function replace_body(edits)
  local edit, pieces = request.editor(edits), body_pieces()
  if ngx.req.get_body_data() then return ngx.req.set_body_data(edit(pieces())) end
  -- The body is in a temporary file: nginx spools the new one as well, so its size costs no memory.
  ngx.req.init_body()
  for piece in pieces do ngx.req.append_body(edit(piece)) end
  ngx.req.finish_body()
end

local function ask_for_usage(self, state)
  ngx.req.read_body()
  local pieces = body_pieces()
  if not pieces then return end
  local body = request.new(self.settings.continuous_usage)
  for piece in pieces do body:feed(piece) end
  local edits = body:edits()
  if #edits == 0 then return end
  replace_body(edits)
  state.hide = self.settings.hide_injected_usage and not body:asked()
end

--- Runs for authorised calls only: from here on the answer is watched.
policy.access = guarded("access", function(self, context)
  local state = context[self]
  if not state then return end
  state.watching = true
  -- A compressed answer could not be read.
  ngx.req.clear_header("Accept-Encoding")
  if config.has_path(self.settings.stream_options_paths, state.path) then ask_for_usage(self, state) end
end)

policy.header_filter = guarded("header_filter", function(self, context)
  local state = context[self]
  if not state or not state.watching then return end
  local header = ngx.header
  local format = answer.format(ngx.status, header.content_type, header.content_encoding)
  state.success = ngx.status >= 200 and ngx.status < 300 and ngx.status ~= 204
  -- No piece of a body will come.
  if ngx.status == 204 then state.complete = true end
  if not format then return end
  state.answer = answer.new(format, state.hide)
  if state.answer.held then header.content_length = nil end
end)

local function watch(state)
  local watched, eof = state.answer, ngx.arg[2]
  local piece = watched:feed(ngx.arg[1], eof)
  if watched.held then ngx.arg[1] = piece end
  if eof then watched:finish() end
end

--- Lets every piece pass and reads it on the way. An error that left this phase would cut the connection.
function policy:body_filter(context)
  local state = context[self]
  if not state then return end
  if ngx.arg[2] then state.complete = true end
  if not state.answer or state.answer.finished then return end
  local held = state.answer.held
  local ok, reason = pcall(watch, state)
  if ok then return end
  if held then ngx.arg[1] = held .. ngx.arg[1] end
  state.answer = nil
  pcall(count_failure, "body_filter", context, reason)
end

local function credential_of(credentials)
  for _, kind in ipairs({ "user_key", "app_id", "access_token" }) do
    if credentials[kind] then return kind, credentials[kind] end
  end
end

local function amounts_of(settings, usage)
  local amounts = {}
  for field, metric in pairs(settings.metrics) do
    if usage[field] > 0 then amounts[metric] = usage[field] end
  end
  return amounts
end

local function report(self, context, usage)
  local settings, service, amounts = self.settings, context.service, amounts_of(self.settings, usage)
  local kind, credential = credential_of(context.credentials or {})
  if not kind then return count_lost({ service = service, amounts = amounts, answers = 1 }, "no_credential") end
  if next(amounts) then
    reports:add({
      service = service, credential_type = kind, credential = credential, amounts = amounts,
      timeout = settings.timeout, retries = settings.retries,
    })
  end
  local application = metrics.application(service, credential)
  for field in pairs(settings.metrics) do metrics.add("tokens", usage[field], service, field, application) end
  metrics.add("answers", 1, service, application)
end

--- Settles an answer, once: this phase also runs for calls that were refused or aborted.
policy.post_action = guarded("post_action", function(self, context)
  local state = context[self]
  if not state or not state.watching or state.settled then return end
  state.settled = true
  local service, watched = context.service, state.answer
  if watched and watched.usage.seen then
    report(self, context, watched.usage)
  elseif state.success then
    metrics.add("missing_usage", 1, service)
  end
  if watched then metrics.add("parse_errors", watched.parse_errors, service) end
  if not state.complete then metrics.add("aborted", 1, service) end
end)

return policy
