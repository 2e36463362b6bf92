-- Plays APIcast's executor around one policy: sandbox, chain, shared context, swallowed errors (but kept here).
local cjson = require("cjson")

local _M = {}

local settings, chains = nil, {}
local contexts, last_context = {}, 0
local state = ngx.shared.test_state

-- What APIcast's sandbox lets a policy see.
local ENVIRONMENT = {
  "_VERSION", "assert", "print", "xpcall", "pcall", "error", "unpack", "next", "ipairs", "pairs", "select",
  "collectgarbage", "gcinfo", "newproxy", "loadstring", "load", "setmetatable", "getmetatable", "tonumber", "tostring",
  "type", "rawget", "rawequal", "rawset", "bit", "coroutine", "io", "math", "string", "table", "ngx",
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function sandbox(folder)
  local loaded, environment = {}, {}
  for _, name in ipairs(ENVIRONMENT) do environment[name] = _G[name] end
  environment.os = { clock = os.clock, date = os.date, time = os.time, difftime = os.difftime, getenv = os.getenv }
  environment.debug = { traceback = debug.traceback }
  environment._G = environment
  function environment.require(name)
    if package.loaded[name] then return package.loaded[name] end
    if loaded[name] then return loaded[name] end
    local path = folder .. "/" .. name .. ".lua"
    local file = io.open(path)
    if not file then return require(name) end
    file:close()
    loaded[name] = setfenv(assert(loadfile(path)), environment)(name, path) or true
    return loaded[name]
  end
  return environment.require
end

local function record(phase, err)
  state:rpush("errors", phase .. ": " .. tostring(err))
end

function _M.init(path)
  settings = cjson.decode(read(path))
  package.loaded["test_settings"] = settings
  local load = sandbox(settings.policy)
  local policy = load("init")
  for _, name in ipairs(settings.sabotage) do
    local module, member = name:match("^([^.]+)%.(.+)$")
    assert(load(module)[member])
    load(module)[member] = function() error("sabotaged") end
  end
  for name, config in pairs(settings.configurations) do
    chains[name] = { require("apicast_standin"), policy.new(config) }
  end
  chains.none = { require("apicast_standin") }
end

local function on_failed(phase)
  if settings.on_failed and phase ~= "post_action" then ngx.exit(503) end
end

local function run(phase, context)
  for _, policy in ipairs(context.chain) do
    local phase_of_policy = policy[phase]
    if phase_of_policy then
      local ok, err = pcall(phase_of_policy, policy, context)
      if not ok then
        record(phase, err)
        on_failed(phase)
      end
    end
  end
end

function _M.begin()
  last_context = last_context + 1
  ngx.var.ctx_ref = last_context
  local context = { chain = chains[ngx.var.http_x_policy or "default"], service = settings.service }
  contexts[last_context] = context
  state:incr("begun", 1, 0)
  ngx.req.clear_header("X-Policy")
  run("rewrite", context)
end

function _M.run(phase)
  local context = contexts[tonumber(ngx.var.ctx_ref)]
  if context then run(phase, context) end
end

function _M.content()
  ngx.exec("@upstream")
end

function _M.settle()
  local reference = tonumber(ngx.var.ctx_ref)
  if not reference or not contexts[reference] then return end
  run("post_action", contexts[reference])
  contexts[reference] = nil
  state:incr("settled", 1, 0)
end

local function counters()
  local found = {}
  for _, key in ipairs(state:get_keys(0)) do
    if key:sub(1, 8) == "counter:" then found[key:sub(9)] = state:get(key) end
  end
  return found
end

local function errors()
  local found = {}
  for i = 1, state:llen("errors") do
    found[i] = state:lpop("errors")
    state:rpush("errors", found[i])
  end
  return found
end

function _M.state()
  ngx.header.content_type = "application/json"
  if ngx.var.uri == "/_test/memory" then
    collectgarbage()
    collectgarbage()
    return ngx.say(cjson.encode({ kib = collectgarbage("count"), pid = ngx.worker.pid() }))
  end
  ngx.say(cjson.encode({
    begun = state:get("begun") or 0,
    settled = state:get("settled") or 0,
    timers = ngx.timer.running_count() + ngx.timer.pending_count(),
    counters = counters(),
    errors = setmetatable(errors(), cjson.array_mt),
  }))
end

return _M
