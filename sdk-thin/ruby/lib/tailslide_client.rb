# frozen_string_literal: true

require "erb"
require "json"
require "logger"
require "net/http"
require "socket"
require "uri"

module Tailslide
  # What the sidecar says of a flag for one user.
  #
  # +error+ and +error_details+ are empty, unless +value+ is the caller's default. Then +reason+ is "ERROR".
  Evaluation = Struct.new(
    :flag, :value, :variant, :active, :reason, :metadata, :error, :error_details, keyword_init: true
  )

  # Asks the Tailslide sidecar about flags, and reports how calls ended.
  #
  #   flags = Tailslide::Client.new
  #   if flags.active?("new-checkout", "user-42", attributes: { country: "DE" })
  #     flags.guard("new-checkout") { new_checkout(cart) }
  #   end
  #
  # One client serves a whole program: all of its threads, and its forked children too. No method raises, whatever the
  # sidecar answers, and no question takes longer than +timeout_ms+: the caller gets its default instead. Only ::new
  # raises, for settings that cannot be right, and #guard what its block raises.
  class Client
    VERSION = "0.1.0"

    # The sidecar gave no answer, or none that can be used.
    class Trouble < StandardError
      attr_reader :error, :loggable

      # +loggable+ is the part of +details+ that cannot contain attributes.
      def initialize(error, details, loggable: details)
        super(details)
        @error = error
        @loggable = "#{error} #{loggable}".strip
      end
    end
    private_constant :Trouble

    Outcome = Struct.new(:flag, :fields, :reported_at)
    private_constant :Outcome

    LONGEST_LATENCY_MS = 86_400_000
    SIDECAR_ERRORS = %w[FLAG_NOT_FOUND TARGETING_KEY_MISSING PARSE_ERROR INVALID_CONTEXT].freeze
    KEPT_CONNECTIONS = 16
    TROUBLES_BEFORE_A_PAUSE = 5
    PAUSE_S = 0.25
    BATCH = 1_000
    OUTCOME_LIFE_S = 10
    SEND_TIMEOUT_S = 1
    LOG_EVERY_S = 60
    private_constant :SIDECAR_ERRORS, :KEPT_CONNECTIONS, :TROUBLES_BEFORE_A_PAUSE, :PAUSE_S, :BATCH, :OUTCOME_LIFE_S,
                     :SEND_TIMEOUT_S, :LOG_EVERY_S

    # The environment's TAILSLIDE_FLAGS_URL, TAILSLIDE_FLAGS_TOKEN and TAILSLIDE_PROXY_URL count where an argument is
    # left out.
    #
    # url:: of the sidecar's flags listener, <tt>http://HOST:PORT</tt> or <tt>unix:/path</tt>
    # token:: the sidecar's +flags_token+
    # proxy_url:: of the sidecar's proxy
    # timeout_ms:: what one question may take, connecting included
    # flush_interval_ms:: how long outcomes wait to be sent together
    # max_outcomes:: how many outcomes may wait
    # logger:: gets a warning at most once a minute
    def initialize(url: nil, token: nil, proxy_url: nil, timeout_ms: 50, flush_interval_ms: 200, max_outcomes: 10_000,
                   logger: Logger.new($stderr, progname: "tailslide"))
      @address = Address.new(url || setting("TAILSLIDE_FLAGS_URL") || "http://127.0.0.1:4141")
      @proxy = Address.new(proxy_url || setting("TAILSLIDE_PROXY_URL") || "http://127.0.0.1:4140")
      raise ArgumentError, "proxy_url: expected http://HOST:PORT" unless @proxy.host

      @headers = headers(token || setting("TAILSLIDE_FLAGS_TOKEN"))
      @timeout_s = positive("timeout_ms", timeout_ms) / 1000.0
      @flush_interval_s = positive("flush_interval_ms", flush_interval_ms) / 1000.0
      @max_outcomes = positive("max_outcomes", max_outcomes)
      @logger = logger
      @lock = Mutex.new # guards all that start_over sets
      @wake = ConditionVariable.new # outcomes to send, or closed
      @sent_all = ConditionVariable.new # the sender has ended a round
      @idle = []
      @idle_for_outcomes = []
      @closed = false
      start_over
      at_exit { close }
    end

    # Whether the user gets another variant than the flag's off variant.
    #
    # targeting_key:: whom the flag is asked for, a string, or nil for nobody in particular
    # attributes:: a Hash of what JSON can say
    # default:: what is returned where the sidecar does not answer
    def active?(flag, targeting_key = nil, attributes: {}, default: false)
      ask(flag, targeting_key, attributes, default).active
    end

    # The key of the user's variant. See #active? for the arguments.
    def variant(flag, targeting_key = nil, default:, attributes: {})
      evaluation = ask(flag, targeting_key, attributes, default)
      evaluation.error.empty? ? evaluation.variant : default
    end

    # The value of the user's variant, of the default's type: true or false, String, Integer, Float or Hash. A default
    # of nil takes any type. See #active? for the arguments.
    def value(flag, targeting_key = nil, default:, attributes: {})
      evaluate(flag, targeting_key, attributes: attributes, default: default).value
    end

    # All that the sidecar says, as an Evaluation. See #value for the arguments.
    def evaluate(flag, targeting_key = nil, default:, attributes: {})
      ask(flag, targeting_key, attributes, default) { |value| typed(value, default) }
    end

    # Reports a call that went well, and perhaps how long it took, in milliseconds. Returns at once.
    def success(flag, latency_ms: nil)
      report(flag, "success", latency_ms)
    end

    # Reports a call that failed, and perhaps how long it took, in milliseconds. Returns at once.
    def failure(flag, latency_ms: nil)
      report(flag, "failure", latency_ms)
    end

    # Runs the block, and reports a failure if it raises, a success if it ends in any other way. Returns what the block
    # returns, raises what it raises.
    #
    # failure_if:: says of the block's result whether it is a failure all the same
    # failure_if_raised:: says of an exception whether it is a failure
    def guard(flag, failure_if: nil, failure_if_raised: nil)
      began = now
      failed = false
      result = yield
      failed = says?(failure_if, result) if failure_if
      result
    rescue Exception => e # rubocop:disable Lint/RescueException -- it is raised again
      failed = failure_if_raised ? says?(failure_if_raised, e) : true
      raise
    ensure
      report(flag, failed ? "failure" : "success", (now - began) * 1000)
    end

    # Sends the outcomes that wait, for at most +timeout_ms+. Returns whether all of them were sent and taken.
    def flush(timeout_ms = 1000)
      start_over if forked?
      send_waiting(now + timeout_ms / 1000.0)
    rescue StandardError
      false
    end

    # Sends the outcomes that wait, for at most a second, and ends the background work. Questions get their defaults from
    # then on. The client closes itself when the program ends.
    def close
      return if @closed

      @closed = true
      flush
      @lock.synchronize do
        drop_outcomes(@waiting.slice!(0..).size, "CLOSED")
        [@idle, @idle_for_outcomes].each { |idle| idle.slice!(0..).each(&:close) }
        @wake.broadcast
      end
      @log_line&.join(0.1)
      nil
    rescue StandardError
      nil
    end

    # Counts since the client was made, or since the process was forked.
    def stats
      start_over if forked?
      @lock.synchronize { { **@counts, defaults: @defaults.dup, outcomes_waiting: @waiting.size + @in_flight } }
    end

    # The address of a path at the sidecar's proxy.
    def proxy_url(path = "")
      path = path.to_s
      "http://#{@proxy.authority}#{"/" unless path.empty? || path.start_with?("/")}#{path}"
    end

    # Net::HTTP with the sidecar as its forward proxy:
    #
    #   flags.http.get_response(URI("http://payments.internal/pay"))
    def http
      Net::HTTP::Proxy(@proxy.host, @proxy.port)
    end

    def inspect
      "#<#{self.class} #{@address}>"
    end

    private

    def setting(variable)
      value = ENV.fetch(variable, "")
      value unless value.empty?
    end

    def positive(name, value)
      return value if value.is_a?(Numeric) && value.real? && value.positive? && value.finite?

      raise ArgumentError, "#{name}: expected a positive number, got #{value.inspect}"
    end

    def headers(token)
      raise ArgumentError, "token: expected printable ASCII without spaces" unless token.nil? || token.to_s.match?(/\A[!-~]+\z/)

      "Host: #{@address.authority}\r\nContent-Type: application/json\r\n" \
        "#{"Authorization: Bearer #{token}\r\n" if token}"
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def forked?
      @pid != Process.pid
    end

    # What belongs to one process. A child of a fork closes its copies of the parent's connections.
    def start_over
      @lock.synchronize do
        next unless forked?

        [@idle, @idle_for_outcomes].each { |idle| idle.slice!(0..).each(&:close) }
        @waiting = []
        @in_flight = 0
        @sending = false
        @not_before = {} # of a flag's outcomes, after a 429
        @counts = { questions: 0, outcomes_sent: 0, outcomes_dropped: 0, outcomes_refused: 0 }
        @defaults = Hash.new(0)
        @warnings = Hash.new { |warnings, what| warnings[what] = { count: 0, due: 0, latest: "" } }
        @troubles = 0 # questions in a row
        @ask_again = 0
        @worker = @log_line = nil
        @pid = Process.pid
      end
    end

    # -- Questions

    # The block returns the value as the type that is asked for, or raises.
    def ask(flag, targeting_key, attributes, default, &typed)
      start_over if forked?
      @lock.synchronize { @counts[:questions] += 1 }
      raise Trouble.new("CLOSED", "the client has been closed") if @closed
      raise Trouble.new("FLAG_NOT_FOUND", "no key of a flag was given") if flag.to_s.empty?

      evaluation(flag, answer(flag, targeting_key, attributes), default, &typed)
    rescue StandardError => e
      e = Trouble.new("GENERAL", e.message, loggable: e.class.name) unless e.is_a?(Trouble)
      count_default(e)
      Evaluation.new(flag: flag, value: default, variant: "", active: default == true, reason: "ERROR", metadata: {},
                     error: e.error, error_details: e.message)
    end

    def count_default(trouble)
      @lock.synchronize do
        @defaults[trouble.error] += 1
        warn_of("questions got their defaults", 1, trouble.loggable)
      end
    rescue ThreadError
      nil # in a signal handler, which may not take a lock
    end

    def answer(flag, targeting_key, attributes)
      deadline = now + @timeout_s
      body = question(targeting_key, attributes)
      unless may_ask?
        raise Trouble.new("PAUSED", "not asked, because the sidecar has just failed several times", loggable: "")
      end

      begin
        response = post(@idle, "/ofrep/v1/evaluate/flags/#{encoded(flag)}", body, deadline)
        object = ofrep(response) if response.status == 200
      rescue Trouble
        count_trouble
        raise
      end
      @lock.synchronize { @troubles = 0 }
      object || raise(sidecar_trouble(response))
    end

    def question(targeting_key, attributes)
      context = (attributes || {}).to_h.reject { |name, _| name.to_s == "targetingKey" }
      context["targetingKey"] = targeting_key unless targeting_key.nil?
      JSON.generate({ "context" => context })
    rescue StandardError, SystemStackError => e
      raise Trouble.new("INVALID_CONTEXT", "the attributes cannot be written as JSON: #{e.message}", loggable: "")
    end

    # After several troubles in a row, one question in a while asks.
    def may_ask?
      @lock.synchronize do
        next true if @troubles < TROUBLES_BEFORE_A_PAUSE
        next false if now < @ask_again

        @ask_again = now + PAUSE_S
        true
      end
    end

    def count_trouble
      @lock.synchronize do
        @troubles += 1
        @ask_again = now + PAUSE_S if @troubles == TROUBLES_BEFORE_A_PAUSE
      end
    end

    def ofrep(response)
      object = response.json
      unless !object["value"].nil? && object["variant"].is_a?(String) && object["reason"].is_a?(String) &&
             object.fetch("metadata", {}).is_a?(Hash)
        raise Trouble.new("INVALID_RESPONSE", "expected value, variant, reason and metadata")
      end

      object
    end

    def evaluation(flag, object, default)
      value = object["value"]
      value = yield value if block_given?
      metadata = object.fetch("metadata", {})
      active = metadata["active"]
      active = default == true unless [true, false].include?(active)
      Evaluation.new(flag: flag, value: value, variant: object["variant"], active: active, reason: object["reason"],
                     metadata: metadata, error: "", error_details: "")
    end

    def sidecar_trouble(response)
      object = response.json rescue {} # rubocop:disable Style/RescueModifier -- the status says enough
      code = object["errorCode"]
      details = object["errorDetails"].to_s
      return Trouble.new(code, details, loggable: "") if SIDECAR_ERRORS.include?(code)

      status = "HTTP status #{response.status}"
      Trouble.new("GENERAL", details.empty? ? status : "#{status}: #{details}", loggable: status)
    end

    def typed(value, default)
      case [default, value]
      in [nil, _] | [true | false, true | false] | [String, String] | [Hash, Hash] then value
      in [Integer, Integer] then value
      in [Integer, Float] if (value % 1).zero? then value.to_i
      in [Numeric, Numeric] unless default.is_a?(Integer) then value.to_f
      else raise Trouble.new("TYPE_MISMATCH", "the value is of another type than the default")
      end
    end

    def encoded(flag)
      ERB::Util.url_encode(flag.to_s)
    end

    # -- Outcomes

    def says?(predicate, subject)
      predicate.call(subject)
    rescue StandardError
      false
    end

    def report(flag, outcome, latency_ms)
      start_over if forked?
      fields = { outcome: outcome, began_ms: Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond) }
      if latency_ms.is_a?(Numeric) && latency_ms.real? && (0..LONGEST_LATENCY_MS).cover?(latency_ms)
        fields[:latency_ms] = latency_ms.to_f.round(3)
        fields[:began_ms] -= latency_ms.round
      end
      @lock.synchronize do
        next drop_outcomes(1, "CLOSED") if @closed

        @waiting << Outcome.new(flag.to_s, fields, now)
        drop_oldest
        @wake.signal if @waiting.size == 1 || @waiting.size == BATCH
        next if @worker&.alive?

        @worker = Thread.new { work }
        @worker.report_on_exception = false
      end
      nil
    rescue StandardError # a flag without to_s, a signal handler, no more threads
      nil
    end

    # Sends what waits: after the interval, or sooner when a batch is full and the sidecar takes them.
    def work
      all_sent = true
      until @closed
        @lock.synchronize do
          @wake.wait(@lock) while @waiting.empty? && !@closed
          due = now + @flush_interval_s
          while (left = due - now).positive? && !@closed && !(all_sent && @waiting.size >= BATCH)
            @wake.wait(@lock, left)
          end
        end
        all_sent = send_waiting(now + SEND_TIMEOUT_S * 10) unless @closed
      end
    end

    def send_waiting(deadline)
      return false unless (taken = take_outcomes(deadline))

      lost = outcomes_lost
      unsent = taken
      begin
        unsent = send_all(taken, deadline)
      ensure
        put_back(unsent)
      end
      unsent.empty? && lost == outcomes_lost
    end

    def outcomes_lost
      @lock.synchronize { @counts[:outcomes_dropped] + @counts[:outcomes_refused] }
    end

    # Waits until nobody else sends, and returns what is to be sent, or nil after the deadline.
    def take_outcomes(deadline)
      @lock.synchronize do
        while @sending
          left = deadline - now
          return nil unless left.positive?

          @sent_all.wait(@lock, left)
        end
        @sending = true
        taken = @waiting.slice!(0..)
        @in_flight = taken.size
        taken
      end
    end

    def put_back(outcomes)
      @lock.synchronize do
        @sending = false
        @in_flight = 0
        @waiting.unshift(*outcomes)
        drop_oldest
        @sent_all.broadcast
        @wake.signal unless @waiting.empty?
      end
    end

    # Returns the outcomes that could not be sent and are to be tried again.
    def send_all(outcomes, deadline)
      reached = true
      outcomes.group_by(&:flag).flat_map do |flag, of_flag|
        of_flag.each_slice(BATCH).flat_map do |batch|
          batch = fresh(batch)
          next batch if batch.empty? || !reached || now >= deadline || now < @not_before.fetch(flag, 0)

          begin
            send_batch(flag, batch, deadline)
          rescue Trouble => e
            reached = false # the other batches would only wait as long
            @lock.synchronize { warn_of("outcomes could not be sent yet", batch.size, e.loggable) }
            batch
          end
        end
      end
    end

    def send_batch(flag, batch, deadline)
      body = JSON.generate(batch.map(&:fields))
      until_s = [deadline, now + SEND_TIMEOUT_S].min
      response = post(@idle_for_outcomes, "/v1/flags/#{encoded(flag)}/outcomes", body, until_s)
      @lock.synchronize do
        if response.status == 429 || response.status >= 500
          @not_before[flag] = now + response.headers["retry-after"].to_f if response.status == 429
          warn_of("outcomes could not be sent yet", batch.size, "HTTP status #{response.status}")
          next batch
        elsif response.status >= 300
          @counts[:outcomes_refused] += batch.size
          warn_of("outcomes were refused", batch.size, "HTTP status #{response.status}")
        else
          @counts[:outcomes_sent] += batch.size
        end
        []
      end
    end

    # The sidecar would count older ones as of now.
    def fresh(batch)
      young, old = batch.partition { |outcome| now - outcome.reported_at < OUTCOME_LIFE_S }
      @lock.synchronize { drop_outcomes(old.size, "older than #{OUTCOME_LIFE_S} s") }
      young
    end

    def drop_oldest
      excess = @waiting.size - @max_outcomes
      drop_outcomes(@waiting.shift(excess).size, "more than #{@max_outcomes} waiting") if excess.positive?
    end

    def drop_outcomes(count, why)
      return if count.zero?

      @counts[:outcomes_dropped] += count
      warn_of("outcomes were dropped", count, why)
    end

    # Called with the lock held. The log is written in a thread of its own: a slow log keeps nobody waiting.
    def warn_of(what, count, latest)
      warning = @warnings[what]
      warning[:count] += count
      warning[:latest] = latest unless latest.start_with?("PAUSED")
      return if now < warning[:due]

      warning[:due] = now + LOG_EVERY_S
      line = "Tailslide at #{@address}: #{warning[:count]} #{what}; the latest: #{warning[:latest]}"
      warning[:count] = 0
      @log_line = Thread.new { @logger.warn(line) }
      @log_line.report_on_exception = false
    rescue ThreadError
      nil # no more threads
    end

    # -- Connections

    # One request, and a second one if a kept connection ended before the first byte of its answer.
    def post(idle, path, body, deadline)
      request = "POST #{path} HTTP/1.1\r\n#{@headers}Content-Length: #{body.bytesize}\r\n\r\n#{body}"
      kept = kept_connection(idle)
      begin
        exchange(kept || Connection.new(@address, deadline), idle, request, deadline)
      rescue Stale
        raise Trouble.new("BROKEN", "the connection ended before an answer") unless kept

        kept = nil
        retry
      end
    end

    def exchange(connection, idle, request, deadline)
      response = connection.exchange(request, deadline)
      keep(connection, idle) if response.keeps
      response
    ensure
      connection.close unless response&.keeps
    end

    def kept_connection(idle)
      loop do
        connection = @lock.synchronize { idle.pop }
        return connection if connection.nil? || connection.quiet?

        connection.close
      end
    end

    def keep(connection, idle)
      @lock.synchronize do
        next connection.close if @closed || forked? || idle.size >= KEPT_CONNECTIONS

        idle << connection
      end
    end

    # Where a server listens: http://HOST:PORT or unix:/path.
    class Address
      attr_reader :host, :port, :path

      def initialize(url)
        @url = url.to_s
        if @url.start_with?("unix:/")
          @path = @url.delete_prefix("unix:")
          @unix = Addrinfo.unix(@path) # raises where it is too long
        else
          parse
        end
      end

      def authority
        path ? "localhost" : "#{host.include?(":") ? "[#{host}]" : host}:#{port}"
      end

      def to_s
        @url
      end

      # Numbers are resolved at once; names in a thread, since nothing else ends a lookup at a deadline.
      def addrinfos(deadline)
        return [@unix] if @unix

        resolve(Socket::AI_NUMERICHOST)
      rescue SocketError
        lookup = Thread.new { resolve(0) }
        lookup.report_on_exception = false
        left = [deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max
        raise Trouble.new("TIMEOUT", "timed out looking up #{host}") unless lookup.join(left)

        lookup.value
      end

      private

      def parse
        uri = URI.parse(@url)
        unless uri.instance_of?(URI::HTTP) && !uri.hostname.to_s.empty? && uri.port.between?(1, 65_535) &&
               ["", "/"].include?(uri.path) && !uri.userinfo && !uri.query && !uri.fragment
          raise ArgumentError, "expected http://HOST:PORT or unix:/path, got #{@url.inspect}"
        end

        @host = uri.hostname
        @port = uri.port
      rescue URI::InvalidURIError
        raise ArgumentError, "expected http://HOST:PORT or unix:/path, got #{@url.inspect}"
      end

      def resolve(flags)
        Addrinfo.getaddrinfo(host, port, nil, :STREAM, nil, flags)
      end
    end
    private_constant :Address

    # The connection ended before the first byte of an answer.
    class Stale < StandardError; end
    private_constant :Stale

    # +keeps+ says whether the connection can be used again.
    Response = Struct.new(:status, :headers, :body, :keeps) do
      def json
        object = JSON.parse(body.force_encoding(Encoding::UTF_8)) if body.force_encoding(Encoding::UTF_8).valid_encoding?
        object.is_a?(Hash) ? object : raise(Trouble.new("INVALID_RESPONSE", "expected a JSON object"))
      rescue JSON::ParserError
        raise Trouble.new("INVALID_RESPONSE", "not JSON")
      end
    end
    private_constant :Response

    # One HTTP/1.1 connection. Whatever it does ends at the deadline (of Process::CLOCK_MONOTONIC).
    class Connection
      MAX_BYTES = 1 << 20

      def initialize(address, deadline)
        @deadline = deadline
        @socket = connect(address)
        @socket.setsockopt(:TCP, :NODELAY, true) unless address.path
      end

      # Nothing has come, not even the end, since the last answer.
      def quiet?
        @socket.read_nonblock(1, exception: false) == :wait_readable
      rescue SystemCallError, IOError
        false
      end

      def close
        @socket.close
      end

      def exchange(request, deadline)
        @deadline = deadline
        @buffer = +"".b
        @read = 0
        write(request.b)
        read_response
      rescue EOFError, SystemCallError => e
        raise Stale if @read.zero?

        raise Trouble.new("BROKEN", "the connection ended before a whole answer: #{e.message}")
      end

      private

      def connect(address)
        refusal = nil
        address.addrinfos(@deadline).each do |addrinfo|
          return addrinfo.connect(timeout: left)
        rescue Errno::ETIMEDOUT
          timed_out
        rescue SystemCallError => e
          refusal = e
        end
        raise refusal
      rescue SystemCallError, SocketError => e
        raise Trouble.new("REFUSED", "could not connect to #{address}: #{e.message}")
      end

      # Seconds until the deadline.
      def left
        left = @deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC)
        left.positive? ? left : timed_out
      end

      def timed_out
        raise Trouble.new("TIMEOUT", "no whole answer within the deadline")
      end

      def wait(readiness)
        @socket.public_send(readiness, left) || timed_out
      end

      def write(bytes)
        until bytes.empty?
          written = @socket.write_nonblock(bytes, exception: false)
          written == :wait_writable ? wait(written) : bytes = bytes.byteslice(written..)
        end
      end

      # More bytes into the buffer. The clock is looked at each time, for an answer that trickles.
      def fill
        wait(:wait_readable)
        bytes = @socket.read_nonblock(65_536, exception: false)
        return if bytes == :wait_readable
        raise EOFError if bytes.nil?

        @read += bytes.bytesize
        invalid("over #{MAX_BYTES} bytes") if @read > MAX_BYTES
        @buffer << bytes
      end

      def invalid(details)
        raise Trouble.new("INVALID_RESPONSE", details)
      end

      def line
        fill until (length = @buffer.index("\n"))
        @buffer.slice!(0..length).chomp
      end

      def bytes(length)
        invalid("over #{MAX_BYTES} bytes") if length > MAX_BYTES
        fill while @buffer.bytesize < length
        @buffer.slice!(0, length)
      end

      def read_response
        version, status = status_line
        headers = read_headers
        return read_response if status < 200 # an interim response, before the one that counts

        body = read_body(status, headers)
        keeps = !body.nil? && version == "1" && @buffer.empty? && !headers.fetch("connection", "").match?(/close/i)
        Response.new(status, headers, body || rest, keeps)
      end

      def status_line
        fill while @buffer.empty?
        fill while "HTTP/1.".start_with?(@buffer)
        invalid("not HTTP") unless @buffer.start_with?("HTTP/1.")
        match = line.match(%r{\AHTTP/1\.([01]) ([1-5]\d\d)(?: |\z)}) || invalid("not HTTP")
        [match[1], match[2].to_i]
      end

      def read_headers
        headers = {}
        until (header = line).empty?
          name, value = header.split(":", 2)
          invalid("not HTTP") if value.nil?
          headers[name.downcase] = value.strip
        end
        headers
      end

      # nil for a body that ends with the connection.
      def read_body(status, headers)
        return chunks if headers.fetch("transfer-encoding", "").match?(/chunked/i)
        return "" if status == 204

        length = headers["content-length"] || return
        invalid("not HTTP") unless length.match?(/\A\d+\z/)
        bytes(length.to_i)
      end

      def chunks
        body = +"".b
        loop do
          size = line[/\A\h+/] || invalid("not HTTP")
          return body.tap { read_headers } if size.hex.zero?

          body << bytes(size.hex)
          invalid("not HTTP") unless line.empty?
        end
      end

      def rest
        loop { fill }
      rescue EOFError
        @buffer
      end
    end
    private_constant :Connection
  end
end
