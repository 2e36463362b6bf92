-- The least HTTP client that talks to the fake backend: Content-Length only, keep-alive.
local _M = {}

local function set_timeouts(socket, request)
  local options = (request.proxy_options or {}).upstream_connection_opts
  if options then
    socket:settimeouts(options.connect_timeout * 1000, options.send_timeout * 1000, options.read_timeout * 1000)
  end
end

local function request_text(request, host, path)
  local lines = { request.method .. " " .. path .. " HTTP/1.1", "Host: " .. host }
  for name, value in pairs(request.headers) do lines[#lines + 1] = name .. ": " .. value end
  if request.body then lines[#lines + 1] = "Content-Length: " .. #request.body end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (request.body or "")
end

local function read_response(socket)
  local line, err = socket:receive()
  if not line then return nil, err end
  local status, length = tonumber(line:match("^HTTP/1.1 (%d+)")), 0
  repeat
    line, err = socket:receive()
    if not line then return nil, err end
    length = tonumber(line:lower():match("^content%-length: (%d+)")) or length
  until line == ""
  local body = length > 0 and socket:receive(length) or ""
  return { ok = true, status = status, headers = {}, body = body }
end

local function exchange(request)
  local host, port, path = request.url:match("^http://([^:/]+):(%d+)(/.*)$")
  local socket = ngx.socket.tcp()
  set_timeouts(socket, request)
  local ok, err = socket:connect(host, tonumber(port))
  if not ok then return nil, err end
  ok, err = socket:send(request_text(request, host .. ":" .. port, path))
  if not ok then return nil, err end
  local response
  response, err = read_response(socket)
  if response then socket:setkeepalive(10000, 64) else socket:close() end
  return response, err
end

function _M.send(_, request)
  local response, err = exchange(request)
  return response or { ok = false, status = 0, headers = {}, error = err }
end

return _M
