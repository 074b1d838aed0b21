#define TRACE // else calls of TraceSource are left out

using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Attributes = System.Collections.Generic.IEnumerable<System.Collections.Generic.KeyValuePair<string, object>>;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tailslide
{
    /// <summary>
    /// Asks the Tailslide sidecar about flags, and reports how calls ended.
    /// </summary>
    /// <remarks>
    /// One client serves a whole program, from any number of threads and tasks. No method throws, whatever is passed and
    /// whatever the sidecar answers, and no question takes longer than <c>timeout</c>: the caller gets its default
    /// instead. Only the constructor throws, for settings that cannot be right, and <c>Guard</c> what its block throws.
    /// </remarks>
    /// <example><code>
    /// var flags = new TailslideClient();
    /// var germany = new Dictionary&lt;string, object&gt; { ["country"] = "DE" };
    /// if (flags.IsActive("new-checkout", "user-42", germany))
    ///     order = flags.Guard("new-checkout", () => NewCheckout(cart));
    /// </code></example>
    public sealed class TailslideClient : IDisposable
    {
        private const int KeptConnections = 16;
        private const int TroublesBeforeAPause = 5;
        private const int Batch = 1000;
        private const double PauseMs = 250;
        private const double OutcomeLifeMs = 10000;
        private const double SendTimeoutMs = 1000;
        private const double LogEveryMs = 60000;
        private static readonly TimeSpan LongestLatency = TimeSpan.FromDays(1);
        private static readonly string[] SidecarErrors =
            { "FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "PARSE_ERROR", "INVALID_CONTEXT" };

        private readonly Uri _url;
        private readonly Uri _proxy;
        private readonly string _headers;
        private readonly double _timeoutMs;
        private readonly double _flushIntervalMs;
        private readonly int _maxOutcomes;
        private readonly Lazy<HttpClient> _http;
        private readonly SemaphoreSlim _sending = new SemaphoreSlim(1); // one sends outcomes at a time; guards the next
        private readonly Dictionary<string, double> _notBeforeMs = new Dictionary<string, double>(); // after a 429

        private readonly object _lock = new object(); // guards all that follows
        private readonly Stack<Socket> _idle = new Stack<Socket>();
        private readonly Stack<Socket> _idleForOutcomes = new Stack<Socket>();
        private readonly Dictionary<string, long> _defaults = new Dictionary<string, long>();
        private readonly Dictionary<string, Warning> _warnings = new Dictionary<string, Warning>();
        private Queue<Outcome> _waiting = new Queue<Outcome>();
        private int _inFlight;
        private long _questions, _sent, _dropped, _refused;
        private int _troubles; // questions in a row
        private double _askAgainMs;
        private bool _working;
        private volatile bool _closed;

        /// <summary>
        /// Makes a client. The variables TAILSLIDE_FLAGS_URL, TAILSLIDE_FLAGS_TOKEN and TAILSLIDE_PROXY_URL count where an
        /// argument is left out.
        /// </summary>
        /// <param name="url">Of the sidecar's flags listener; http://127.0.0.1:4141 if left out.</param>
        /// <param name="token">The sidecar's <c>flags_token</c>.</param>
        /// <param name="proxyUrl">Of the sidecar's proxy; http://127.0.0.1:4140 if left out.</param>
        /// <param name="timeout">What one question may take, connecting included; 50 ms if left out.</param>
        /// <param name="flushInterval">How long outcomes wait to be sent together; 200 ms if left out.</param>
        /// <param name="maxOutcomes">How many outcomes may wait.</param>
        /// <exception cref="ArgumentException">A setting cannot be right.</exception>
        public TailslideClient(
            string url = null,
            string token = null,
            string proxyUrl = null,
            TimeSpan? timeout = null,
            TimeSpan? flushInterval = null,
            int maxOutcomes = 10000)
        {
            _url = Address(nameof(url), url ?? Variable("TAILSLIDE_FLAGS_URL") ?? "http://127.0.0.1:4141");
            _proxy = Address(nameof(proxyUrl), proxyUrl ?? Variable("TAILSLIDE_PROXY_URL") ?? "http://127.0.0.1:4140");
            token = token ?? Variable("TAILSLIDE_FLAGS_TOKEN");
            if (token != null && !token.All(letter => letter > ' ' && letter <= '~'))
                throw new ArgumentException("expected printable ASCII without spaces", nameof(token));
            _headers = $"Host: {_url.Authority}\r\nContent-Type: application/json\r\n"
                + (token == null ? "" : $"Authorization: Bearer {token}\r\n");
            _timeoutMs = Positive(nameof(timeout), timeout ?? TimeSpan.FromMilliseconds(50));
            _flushIntervalMs = Positive(nameof(flushInterval), flushInterval ?? TimeSpan.FromMilliseconds(200));
            if (maxOutcomes < 1)
                throw new ArgumentException($"expected at least 1, got {maxOutcomes}", nameof(maxOutcomes));
            _maxOutcomes = maxOutcomes;
            _http = new Lazy<HttpClient>(() => new HttpClient(new HttpClientHandler { Proxy = new WebProxy(_proxy) }));
            AppDomain.CurrentDomain.ProcessExit += Exiting;
            WarmUp();
        }

        /// <summary>Gets a warning at most once a minute. Add a listener to read it.</summary>
        public static TraceSource Log { get; } = new TraceSource("Tailslide", SourceLevels.Warning);

        /// <summary>A client for calls that go through the sidecar's proxy and keep their URL.</summary>
        public HttpClient Http => _http.Value;

        /// <summary>The address of a path at the sidecar's proxy.</summary>
        public string ProxyUrl(string path = "")
        {
            string slash = string.IsNullOrEmpty(path) || path[0] == '/' ? "" : "/";
            return $"http://{_proxy.Authority}{slash}{path}";
        }

        // Questions

        /// <summary>Whether the user gets another variant than the flag's off variant.</summary>
        /// <param name="flag">The flag's key.</param>
        /// <param name="targetingKey">Whom the flag is asked for; null for nobody in particular.</param>
        /// <param name="attributes">Strings, numbers, booleans, and lists and dictionaries of them.</param>
        /// <param name="defaultValue">What is returned where the sidecar does not answer.</param>
        public bool IsActive(string flag, string targetingKey = null, Attributes attributes = null, bool defaultValue = false)
            => Now(Ask(flag, targetingKey, attributes, defaultValue, typeof(object), false)).Active;

        /// <summary>As <see cref="IsActive"/>.</summary>
        public async Task<bool> IsActiveAsync(
            string flag, string targetingKey = null, Attributes attributes = null, bool defaultValue = false)
            => (await Ask(flag, targetingKey, attributes, defaultValue, typeof(object), true).ConfigureAwait(false)).Active;

        /// <summary>The key of the user's variant. Parameters as in <see cref="IsActive"/>.</summary>
        public string Variant(string flag, string targetingKey, Attributes attributes, string defaultValue)
            => VariantOf(Now(Ask(flag, targetingKey, attributes, defaultValue, typeof(object), false)));

        /// <summary>As <see cref="Variant"/>.</summary>
        public async Task<string> VariantAsync(string flag, string targetingKey, Attributes attributes, string defaultValue)
            => VariantOf(await Ask(flag, targetingKey, attributes, defaultValue, typeof(object), true).ConfigureAwait(false));

        /// <summary>The value of the user's variant. Parameters as in <see cref="IsActive"/>.</summary>
        /// <typeparam name="T">
        /// <c>bool</c>, <c>string</c>, a type of numbers, or <c>Dictionary&lt;string, object&gt;</c>; <c>object</c> takes
        /// any. A type of integers takes 5 and 5.0.
        /// </typeparam>
        public T Value<T>(string flag, string targetingKey, Attributes attributes, T defaultValue)
            => (T)Now(Ask(flag, targetingKey, attributes, defaultValue, typeof(T), false)).Value;

        /// <summary>As <see cref="Value{T}"/>.</summary>
        public async Task<T> ValueAsync<T>(string flag, string targetingKey, Attributes attributes, T defaultValue)
            => (T)(await Ask(flag, targetingKey, attributes, defaultValue, typeof(T), true).ConfigureAwait(false)).Value;

        /// <summary>
        /// All that the sidecar says. Parameters as in <see cref="IsActive"/>; the value has the type of the default, and
        /// any where that is null.
        /// </summary>
        public Evaluation Evaluate(string flag, string targetingKey, Attributes attributes, object defaultValue)
            => Now(Ask(flag, targetingKey, attributes, defaultValue, TypeOf(defaultValue), false));

        /// <summary>As <see cref="Evaluate"/>.</summary>
        public Task<Evaluation> EvaluateAsync(string flag, string targetingKey, Attributes attributes, object defaultValue)
            => Ask(flag, targetingKey, attributes, defaultValue, TypeOf(defaultValue), true);

        // Outcomes

        /// <summary>Reports a call that went well, and perhaps how long it took. Returns at once.</summary>
        public void Success(string flag, TimeSpan? latency = null) => Report(flag, "success", latency);

        /// <summary>Reports a call that failed, and perhaps how long it took. Returns at once.</summary>
        public void Failure(string flag, TimeSpan? latency = null) => Report(flag, "failure", latency);

        /// <summary>Runs the block and reports how it ended: a success if it returns, a failure if it throws.</summary>
        /// <param name="flag">The flag's key.</param>
        /// <param name="block">What it returns or throws goes on to the caller.</param>
        /// <param name="failureIf">Says of what the block returns whether it is a failure all the same.</param>
        /// <param name="failureIfThrown">Says of an exception whether it is a failure.</param>
        public T Guard<T>(
            string flag, Func<T> block, Func<T, bool> failureIf = null, Func<Exception, bool> failureIfThrown = null)
            => Now(GuardAsync(flag, () => Task.FromResult(block()), failureIf, failureIfThrown));

        /// <summary>As <see cref="Guard{T}"/>, of a block that returns nothing.</summary>
        public void Guard(string flag, Action block, Func<Exception, bool> failureIfThrown = null)
            => Guard(flag, () => { block(); return true; }, null, failureIfThrown);

        /// <summary>As <see cref="Guard{T}"/>, of a task.</summary>
        public async Task<T> GuardAsync<T>(
            string flag, Func<Task<T>> block, Func<T, bool> failureIf = null, Func<Exception, bool> failureIfThrown = null)
        {
            double began = NowMs;
            bool failed = false;
            try
            {
                T result = await block().ConfigureAwait(false);
                failed = failureIf != null && Says(failureIf, result);
                return result;
            }
            catch (Exception thrown)
            {
                failed = failureIfThrown == null || Says(failureIfThrown, thrown);
                throw;
            }
            finally
            {
                var latency = TimeSpan.FromTicks((long)((NowMs - began) * TimeSpan.TicksPerMillisecond));
                Report(flag, failed ? "failure" : "success", latency);
            }
        }

        /// <summary>As <see cref="Guard{T}"/>, of a task without a result.</summary>
        public Task GuardAsync(string flag, Func<Task> block, Func<Exception, bool> failureIfThrown = null)
            => GuardAsync(flag, async () => { await block().ConfigureAwait(false); return true; }, null, failureIfThrown);

        /// <summary>
        /// Sends the outcomes that wait, for at most <paramref name="timeout"/> (a second if left out). Returns whether all
        /// of them were sent and taken.
        /// </summary>
        public bool Flush(TimeSpan? timeout = null)
            => Now(Send(NowMs + (timeout?.TotalMilliseconds ?? 1000), false));

        /// <summary>As <see cref="Flush"/>.</summary>
        public Task<bool> FlushAsync(TimeSpan? timeout = null)
            => Send(NowMs + (timeout?.TotalMilliseconds ?? 1000), true);

        /// <summary>
        /// Sends the outcomes that wait, for at most a second, and ends the background work. Questions get their defaults
        /// from then on. The client disposes of itself when the program ends.
        /// </summary>
        public void Dispose()
        {
            lock (_lock)
            {
                if (_closed)
                    return;
                _closed = true;
                Monitor.PulseAll(_lock);
            }
            AppDomain.CurrentDomain.ProcessExit -= Exiting;
            Flush();
            lock (_lock)
            {
                Drop(_waiting.Count, "CLOSED");
                _waiting.Clear();
                foreach (Socket socket in _idle.Concat(_idleForOutcomes))
                    socket.Dispose();
                _idle.Clear();
                _idleForOutcomes.Clear();
            }
            if (_http.IsValueCreated)
                _http.Value.Dispose();
        }

        /// <summary>Counts since the client was made.</summary>
        public Stats Stats()
        {
            lock (_lock)
            {
                return new Stats
                {
                    Questions = _questions,
                    Defaults = new Dictionary<string, long>(_defaults),
                    OutcomesSent = _sent,
                    OutcomesDropped = _dropped,
                    OutcomesRefused = _refused,
                    OutcomesWaiting = _waiting.Count + _inFlight,
                };
            }
        }

        /// <summary>The address of the sidecar.</summary>
        public override string ToString() => $"TailslideClient({_url.Authority})";

        /// <summary>
        /// Does what a question does, but for connecting. The runtime loads and compiles it here, which takes longer than
        /// the first question may.
        /// </summary>
        private static void WarmUp()
        {
            Question("user-42", null);
            byte[] answer = Encoding.ASCII.GetBytes(
                "HTTP/1.1 200 OK\r\n\r\n{\"value\":1,\"variant\":\"on\",\"reason\":\"STATIC\",\"metadata\":{\"active\":true}}");
            Typed(Ofrep(Response.Read(answer, answer.Length, true).Json())["value"], typeof(double));
            NewSocket(AddressFamily.InterNetwork).Dispose();
        }

        private static string Variable(string name)
        {
            string value = Environment.GetEnvironmentVariable(name);
            return string.IsNullOrEmpty(value) ? null : value;
        }

        private static Uri Address(string setting, string url)
        {
            if (Uri.TryCreate(url, UriKind.Absolute, out Uri address) && address.Scheme == "http" && address.Host != ""
                && address.Port > 0 && address.PathAndQuery == "/" && address.UserInfo == "" && address.Fragment == "")
                return address;
            string hint = url.StartsWith("unix:") ? " (netstandard2.0 has no Unix sockets)" : "";
            throw new ArgumentException($"expected http://HOST:PORT, got {url}{hint}", setting);
        }

        private static double Positive(string setting, TimeSpan time)
        {
            if (time <= TimeSpan.Zero)
                throw new ArgumentException($"expected a positive time, got {time}", setting);
            return Math.Min(time.TotalMilliseconds, 3600000); // no timer takes more than some days
        }

        /// <summary>Milliseconds by a clock that never goes back.</summary>
        private static double NowMs => Stopwatch.GetTimestamp() * 1000.0 / Stopwatch.Frequency;

        /// <summary>The result of a task that has blocked until it was done (<c>async</c> false), so nothing waits here.</summary>
        private static T Now<T>(Task<T> done) => done.GetAwaiter().GetResult();

        private void Exiting(object sender, EventArgs e) => Dispose();

        // How a question is asked. Methods with a parameter `async` block their thread if it is false.

        private async Task<Evaluation> Ask(
            string flag, string targetingKey, Attributes attributes, object defaultValue, Type type, bool async)
        {
            try
            {
                lock (_lock)
                    _questions++;
                if (_closed)
                    throw new Trouble("CLOSED", "the client has been closed");
                if (string.IsNullOrEmpty(flag))
                    throw new Trouble("FLAG_NOT_FOUND", "no key of a flag was given");
                double deadline = NowMs + _timeoutMs;
                string question = Question(targetingKey, attributes);
                if (!MayAsk())
                    throw new Trouble("PAUSED", "not asked, because the sidecar has just failed several times");
                var answer = await Answer($"/ofrep/v1/evaluate/flags/{Encoded(flag)}", question, deadline, async)
                    .ConfigureAwait(false);
                var metadata = (Map)Member(answer, "metadata") ?? new Map();
                return new Evaluation
                {
                    Flag = flag,
                    Value = Typed(answer["value"], type),
                    Variant = (string)answer["variant"],
                    Active = Member(metadata, "active") as bool? ?? true.Equals(defaultValue),
                    Reason = (string)answer["reason"],
                    Metadata = metadata,
                };
            }
            catch (Exception e)
            {
                var trouble = e as Trouble ?? new Trouble("GENERAL", e.Message, e.GetType().Name);
                lock (_lock)
                {
                    _defaults.TryGetValue(trouble.Error, out long count);
                    _defaults[trouble.Error] = count + 1;
                    Warn("questions got their defaults", 1, trouble.Loggable);
                }
                return new Evaluation
                {
                    Flag = flag,
                    Value = defaultValue,
                    Active = true.Equals(defaultValue),
                    Reason = "ERROR",
                    Error = trouble.Error,
                    ErrorDetails = trouble.Message,
                };
            }
        }

        private async Task<Map> Answer(string path, string question, double deadline, bool async)
        {
            Response response;
            Map answer = null;
            try
            {
                response = await Post(_idle, path, question, deadline, async).ConfigureAwait(false);
                if (response.Status == 200)
                    answer = Ofrep(response.Json());
            }
            catch (Trouble)
            {
                lock (_lock)
                {
                    if (++_troubles == TroublesBeforeAPause)
                        _askAgainMs = NowMs + PauseMs;
                }
                throw;
            }
            lock (_lock)
                _troubles = 0;
            return answer ?? throw SidecarTrouble(response);
        }

        private static string Question(string targetingKey, Attributes attributes)
        {
            try
            {
                var given = (attributes ?? new Map()).Where(attribute => attribute.Key != "targetingKey");
                var context = given.ToDictionary(attribute => attribute.Key, attribute => attribute.Value);
                if (targetingKey != null)
                    context["targetingKey"] = targetingKey;
                return Json.Write(new Map { ["context"] = context });
            }
            catch (Exception e) // the caller's own collections may throw anything
            {
                throw new Trouble("INVALID_CONTEXT", $"the attributes cannot be written as JSON: {e.Message}", "");
            }
        }

        /// <summary>After several troubles in a row, one question in a while asks.</summary>
        private bool MayAsk()
        {
            lock (_lock)
            {
                if (_troubles < TroublesBeforeAPause)
                    return true;
                if (NowMs < _askAgainMs)
                    return false;
                _askAgainMs = NowMs + PauseMs;
                return true;
            }
        }

        private static Map Ofrep(Map answer)
        {
            object metadata = Member(answer, "metadata");
            if (Member(answer, "value") == null || !(Member(answer, "variant") is string)
                || !(Member(answer, "reason") is string) || !(metadata == null || metadata is Map))
                throw new Trouble("INVALID_RESPONSE", "expected value, variant, reason and metadata");
            return answer;
        }

        private static object Member(Map map, string name) => map.TryGetValue(name, out object value) ? value : null;

        private static Trouble SidecarTrouble(Response response)
        {
            object code = null, details = null;
            try
            {
                var answer = response.Json();
                code = Member(answer, "errorCode");
                details = Member(answer, "errorDetails");
            }
            catch (Trouble)
            {
                // The status says enough.
            }
            if (SidecarErrors.Contains(code))
                return new Trouble((string)code, details as string ?? "", "");
            string status = $"HTTP status {response.Status}";
            return new Trouble("GENERAL", details is string ? $"{status}: {details}" : status, status);
        }

        private static string VariantOf(Evaluation evaluation)
            => evaluation.Error == "" ? evaluation.Variant : (string)evaluation.Value;

        private static Type TypeOf(object defaultValue)
            => defaultValue is Attributes
                ? typeof(Map)
                : defaultValue?.GetType() ?? typeof(object);

        private static object Typed(object value, Type type)
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            try
            {
                bool numbers = (value is long || value is double) && Json.IsNumber(type);
                if (numbers && (Type.GetTypeCode(type) >= TypeCode.Single || Convert.ToDouble(value) % 1 == 0))
                    return Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
                if (type.IsInstanceOfType(value))
                    return value;
            }
            catch (OverflowException)
            {
                // The number does not fit.
            }
            throw new Trouble("TYPE_MISMATCH", "the value is of another type than the default");
        }

        /// <summary>The key percent-encoded. A lone surrogate, which no key has, becomes U+FFFD.</summary>
        private static string Encoded(string flag)
            => Uri.EscapeDataString(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(flag ?? "")));

        // How outcomes are sent

        private static bool Says<T>(Func<T, bool> predicate, T subject)
        {
            try
            {
                return predicate(subject);
            }
            catch (Exception)
            {
                return false;
            }
        }

        private void Report(string flag, string outcome, TimeSpan? latency)
        {
            long beganMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
            var fields = new Map { ["outcome"] = outcome };
            if (latency >= TimeSpan.Zero && latency <= LongestLatency)
            {
                fields["latency_ms"] = Math.Round(latency.Value.TotalMilliseconds, 3);
                beganMs -= (long)latency.Value.TotalMilliseconds;
            }
            fields["began_ms"] = beganMs;
            lock (_lock)
            {
                if (_closed)
                {
                    Drop(1, "CLOSED");
                    return;
                }
                _waiting.Enqueue(new Outcome { Flag = flag ?? "", Fields = fields, ReportedMs = NowMs });
                DropOldest();
                if (_waiting.Count == 1 || _waiting.Count == Batch)
                    Monitor.PulseAll(_lock);
                if (!_working)
                    StartWork();
            }
        }

        private void StartWork()
        {
            try
            {
                new Thread(Work) { IsBackground = true, Name = "tailslide-outcomes" }.Start();
                _working = true;
            }
            catch (OutOfMemoryException)
            {
                // No more threads: the next outcome tries again.
            }
        }

        /// <summary>Sends what waits: after the interval, or sooner when a batch is full and the sidecar takes them.</summary>
        private void Work()
        {
            bool allSent = true;
            while (true)
            {
                lock (_lock)
                {
                    while (_waiting.Count == 0 && !_closed)
                        Monitor.Wait(_lock);
                    double due = NowMs + _flushIntervalMs;
                    while (!_closed && NowMs < due && !(allSent && _waiting.Count >= Batch))
                        Monitor.Wait(_lock, (int)Math.Ceiling(due - NowMs));
                    if (_closed)
                        return;
                }
                allSent = Now(Send(NowMs + 10 * SendTimeoutMs, false));
            }
        }

        private async Task<bool> Send(double deadline, bool async)
        {
            int leftMs = (int)Math.Max(0, Math.Min(deadline - NowMs, int.MaxValue));
            if (!(async ? await _sending.WaitAsync(leftMs).ConfigureAwait(false) : _sending.Wait(leftMs)))
                return false;
            long lost;
            List<Outcome> taken;
            lock (_lock)
            {
                lost = _dropped + _refused;
                taken = _waiting.ToList();
                _waiting.Clear();
                _inFlight = taken.Count;
            }
            var unsent = new List<Outcome>();
            bool reached = true;
            foreach (var ofFlag in taken.GroupBy(outcome => outcome.Flag).Select(flag => flag.ToList()))
            {
                for (int first = 0; first < ofFlag.Count; first += Batch)
                {
                    var batch = Fresh(ofFlag.Skip(first).Take(Batch).ToList());
                    if (batch.Count == 0)
                        continue;
                    _notBeforeMs.TryGetValue(batch[0].Flag, out double notBefore);
                    if (reached && NowMs < deadline && NowMs >= notBefore)
                    {
                        try
                        {
                            if (await SendBatch(batch[0].Flag, batch, deadline, async).ConfigureAwait(false))
                                continue;
                        }
                        catch (Exception e)
                        {
                            reached = false; // the other batches would only wait as long
                            string latest = (e as Trouble)?.Loggable ?? e.GetType().Name;
                            lock (_lock)
                                Warn("outcomes could not be sent yet", batch.Count, latest);
                        }
                    }
                    unsent.AddRange(batch);
                }
            }
            lock (_lock)
            {
                _waiting = new Queue<Outcome>(unsent.Concat(_waiting));
                _inFlight = 0;
                DropOldest();
                Monitor.PulseAll(_lock);
                _sending.Release();
                return unsent.Count == 0 && lost == _dropped + _refused;
            }
        }

        /// <summary>Returns whether the sidecar has taken or refused the batch, so that it is not to be sent again.</summary>
        private async Task<bool> SendBatch(string flag, List<Outcome> batch, double deadline, bool async)
        {
            string body = Json.Write(batch.Select(outcome => outcome.Fields));
            deadline = Math.Min(deadline, NowMs + SendTimeoutMs);
            string path = $"/v1/flags/{Encoded(flag)}/outcomes";
            var response = await Post(_idleForOutcomes, path, body, deadline, async).ConfigureAwait(false);
            lock (_lock)
            {
                if (response.Status < 300)
                {
                    _sent += batch.Count;
                    return true;
                }
                bool again = response.Status == 429 || response.Status >= 500;
                if (response.Status == 429 && double.TryParse(
                    response.Header("retry-after"), NumberStyles.None, CultureInfo.InvariantCulture, out double seconds))
                    _notBeforeMs[flag] = NowMs + seconds * 1000;
                if (!again)
                    _refused += batch.Count;
                string what = again ? "outcomes could not be sent yet" : "outcomes were refused";
                Warn(what, batch.Count, $"HTTP status {response.Status}");
                return !again;
            }
        }

        /// <summary>Leaves out old outcomes, which the sidecar would count as of now.</summary>
        private List<Outcome> Fresh(List<Outcome> batch)
        {
            var fresh = batch.Where(outcome => NowMs - outcome.ReportedMs < OutcomeLifeMs).ToList();
            lock (_lock)
                Drop(batch.Count - fresh.Count, $"older than {OutcomeLifeMs} ms");
            return fresh;
        }

        private void DropOldest()
        {
            int excess = Math.Max(0, _waiting.Count - _maxOutcomes);
            for (int outcome = 0; outcome < excess; outcome++)
                _waiting.Dequeue();
            Drop(excess, $"more than {_maxOutcomes} waiting");
        }

        private void Drop(int count, string why)
        {
            if (count == 0)
                return;
            _dropped += count;
            Warn("outcomes were dropped", count, why);
        }

        /// <summary>Called with the lock held. The log is written aside: a slow listener keeps nobody waiting.</summary>
        private void Warn(string what, int count, string latest)
        {
            if (!_warnings.TryGetValue(what, out Warning warning))
                _warnings[what] = warning = new Warning();
            warning.Count += count;
            if (!latest.StartsWith("PAUSED"))
                warning.Latest = latest;
            if (NowMs < warning.DueMs)
                return;
            string line = $"Tailslide at {_url.Authority}: {warning.Count} {what}; the latest: {warning.Latest}";
            warning.DueMs = NowMs + LogEveryMs;
            warning.Count = 0;
            ThreadPool.QueueUserWorkItem(state =>
            {
                try
                {
                    Log.TraceEvent(TraceEventType.Warning, 0, line);
                }
                catch (Exception)
                {
                    // A listener's trouble is none of ours.
                }
            });
        }

        // Connections

        /// <summary>One request, and a second one if a kept connection ended before the first byte of its answer.</summary>
        private async Task<Response> Post(
            Stack<Socket> idle, string path, string body, double deadline, bool async)
        {
            byte[] content = Encoding.UTF8.GetBytes(body);
            byte[] head = Encoding.ASCII.GetBytes(
                $"POST {path} HTTP/1.1\r\n{_headers}Content-Length: {content.Length}\r\n\r\n");
            byte[] request = head.Concat(content).ToArray();
            Socket kept = Kept(idle);
            if (kept != null)
            {
                try
                {
                    return await Exchange(kept, idle, request, deadline, async).ConfigureAwait(false);
                }
                catch (Trouble trouble) when (trouble.Stale)
                {
                    // A new connection, then.
                }
            }
            Socket connected = await Connect(deadline, async).ConfigureAwait(false);
            return await Exchange(connected, idle, request, deadline, async).ConfigureAwait(false);
        }

        private Socket Kept(Stack<Socket> idle)
        {
            lock (_lock)
            {
                while (idle.Count > 0)
                {
                    Socket socket = idle.Pop();
                    if (!socket.Poll(0, SelectMode.SelectRead)) // nothing has come since, not even the end
                        return socket;
                    socket.Dispose();
                }
            }
            return null;
        }

        private bool Keep(Socket socket, Stack<Socket> idle)
        {
            lock (_lock)
            {
                if (_closed || idle.Count >= KeptConnections)
                    return false;
                idle.Push(socket);
                return true;
            }
        }

        private async Task<Socket> Connect(double deadline, bool async)
        {
            string refusal = "no address";
            foreach (IPAddress address in await Addresses(deadline, async).ConfigureAwait(false))
            {
                Socket socket = null;
                bool connected = false;
                try
                {
                    socket = NewSocket(address.AddressFamily);
                    var endpoint = new IPEndPoint(address, _url.Port);
                    if (async)
                        await InTime(socket.ConnectAsync(endpoint), deadline).ConfigureAwait(false);
                    else
                        Connect(socket, endpoint, deadline);
                    socket.Blocking = false;
                    connected = true;
                    return socket;
                }
                catch (SocketException e)
                {
                    refusal = e.Message;
                }
                finally
                {
                    if (!connected)
                        socket?.Dispose();
                }
            }
            throw new Trouble("REFUSED", $"could not connect to {_url.Authority}: {refusal}");
        }

        private async Task<IPAddress[]> Addresses(double deadline, bool async)
        {
            if (IPAddress.TryParse(_url.DnsSafeHost, out IPAddress address))
                return new[] { address };
            try
            {
                var lookup = Task.Run(() => Dns.GetHostAddresses(_url.DnsSafeHost));
                if (!async)
                    Task.WaitAny(new Task[] { lookup }, (int)Math.Max(0, deadline - NowMs));
                await InTime(lookup, deadline).ConfigureAwait(false);
                return lookup.Result;
            }
            catch (SocketException e)
            {
                throw new Trouble("REFUSED", $"could not look up {_url.DnsSafeHost}: {e.Message}");
            }
        }

        private static Socket NewSocket(AddressFamily family)
            => new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        private static void Connect(Socket socket, EndPoint endpoint, double deadline)
        {
            socket.Blocking = false;
            try
            {
                socket.Connect(endpoint);
            }
            catch (SocketException e) when (
                e.SocketErrorCode == SocketError.WouldBlock || e.SocketErrorCode == SocketError.InProgress)
            {
                Wait(socket, SelectMode.SelectWrite, deadline);
                int error = (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error);
                if (error != 0)
                    throw new SocketException(error);
            }
        }

        private static Trouble TimedOut() => new Trouble("TIMEOUT", "no whole answer within the deadline");

        private static void Wait(Socket socket, SelectMode mode, double deadline)
        {
            double leftMs = deadline - NowMs;
            if (leftMs <= 0 || !socket.Poll((int)Math.Min(leftMs * 1000, int.MaxValue), mode))
                throw TimedOut();
        }

        /// <summary>Awaits the task, until the deadline; the caller then closes the socket, which ends the task.</summary>
        private static async Task InTime(Task task, double deadline)
        {
            int leftMs = (int)Math.Max(0, Math.Ceiling(deadline - NowMs));
            if (!task.IsCompleted)
                await Task.WhenAny(task, Task.Delay(leftMs)).ConfigureAwait(false);
            if (!task.IsCompleted)
            {
                _ = task.ContinueWith(late => late.Exception, TaskContinuationOptions.OnlyOnFaulted);
                throw TimedOut();
            }
            await task.ConfigureAwait(false);
        }

        /// <summary>Keeps the connection afterwards if it can be used again, else closes it.</summary>
        private async Task<Response> Exchange(
            Socket socket, Stack<Socket> idle, byte[] request, double deadline, bool async)
        {
            int length = 0;
            bool kept = false;
            try
            {
                for (int sent = 0; sent < request.Length;)
                {
                    var left = new ArraySegment<byte>(request, sent, request.Length - sent);
                    sent += await Transfer(socket, left, true, deadline, async).ConfigureAwait(false);
                }
                var bytes = new byte[4096];
                while (true)
                {
                    if (length == bytes.Length)
                        Array.Resize(ref bytes, 2 * length);
                    var free = new ArraySegment<byte>(bytes, length, bytes.Length - length);
                    int got = await Transfer(socket, free, false, deadline, async).ConfigureAwait(false);
                    length += got;
                    var response = length == 0 ? null : Response.Read(bytes, length, got == 0);
                    if (response != null)
                    {
                        kept = response.Keeps && got > 0 && Keep(socket, idle);
                        return response;
                    }
                    if (got == 0)
                        throw new Trouble("BROKEN", "the connection ended before a whole answer") { Stale = length == 0 };
                }
            }
            catch (SocketException e)
            {
                throw new Trouble("BROKEN", e.Message) { Stale = length == 0 };
            }
            finally
            {
                if (!kept)
                    socket.Dispose();
            }
        }

        /// <summary>Sends or receives once.</summary>
        private static async Task<int> Transfer(
            Socket socket, ArraySegment<byte> bytes, bool send, double deadline, bool async)
        {
            if (async)
            {
                var transfer = send
                    ? socket.SendAsync(bytes, SocketFlags.None)
                    : socket.ReceiveAsync(bytes, SocketFlags.None);
                await InTime(transfer, deadline).ConfigureAwait(false);
                return transfer.Result;
            }
            while (true)
            {
                Wait(socket, send ? SelectMode.SelectWrite : SelectMode.SelectRead, deadline);
                int count = send
                    ? socket.Send(bytes.Array, bytes.Offset, bytes.Count, SocketFlags.None, out SocketError error)
                    : socket.Receive(bytes.Array, bytes.Offset, bytes.Count, SocketFlags.None, out error);
                if (error == SocketError.Success)
                    return count;
                if (error != SocketError.WouldBlock)
                    throw new SocketException((int)error);
            }
        }

        private sealed class Outcome
        {
            public string Flag;
            public Map Fields;
            public double ReportedMs;
        }

        private sealed class Warning
        {
            public int Count;
            public double DueMs;
            public string Latest = "";
        }

        /// <summary>The sidecar gave no answer, or none that can be used.</summary>
        private sealed class Trouble : Exception
        {
            // `loggable` is the part of the details that cannot contain attributes; all if left out.
            public Trouble(string error, string details, string loggable = null)
                : base(details)
            {
                Error = error;
                Loggable = $"{error} {loggable ?? details}".TrimEnd();
            }

            public string Error { get; }

            public string Loggable { get; }

            /// <summary>Whether the connection ended before the first byte of an answer.</summary>
            public bool Stale { get; set; }
        }

        private sealed class Response
        {
            private const int MaxBytes = 1 << 20;
            private static readonly Encoding Utf8 = new UTF8Encoding(false, true);
            private static readonly Encoding Latin1 = Encoding.GetEncoding("iso-8859-1"); // a letter for each byte
            private readonly Dictionary<string, string> _headers =
                new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            private string _body;

            public int Status { get; private set; }

            /// <summary>Whether the connection can be used again.</summary>
            public bool Keeps { get; private set; }

            /// <summary>Returns the response in the bytes, or null if more are to come.</summary>
            public static Response Read(byte[] bytes, int length, bool ended)
            {
                if (length > MaxBytes)
                    throw Invalid($"over {MaxBytes} bytes");
                string text = Latin1.GetString(bytes, 0, length);
                if (!"HTTP/1.".StartsWith(text.Substring(0, Math.Min(length, 7)), StringComparison.Ordinal))
                    throw Invalid("not HTTP");
                int at = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
                if (at < 4)
                    return null;
                string[] lines = text.Substring(0, at - 4).Split(new[] { "\r\n" }, StringSplitOptions.None);
                string[] statusLine = lines[0].Split(' ');
                var response = new Response { Status = Number(statusLine.ElementAtOrDefault(1), NumberStyles.None) };
                if (response.Status < 200) // an interim response, before the one that counts
                    return Read(bytes.Skip(at).ToArray(), length - at, ended);
                foreach (string[] header in lines.Skip(1).Select(line => line.Split(new[] { ':' }, 2)))
                    response._headers[header[0]] = header.Last().Trim();
                response._body = response.Body(text, ref at, ended);
                response.Keeps = at == length && statusLine[0] == "HTTP/1.1"
                    && !response.Header("connection").Equals("close", StringComparison.OrdinalIgnoreCase);
                return response._body == null ? null : response;
            }

            public string Header(string name) => _headers.TryGetValue(name, out string value) ? value : "";

            public Map Json()
            {
                try
                {
                    string json = Utf8.GetString(Latin1.GetBytes(_body));
                    return TailslideClient.Json.Read(json) as Map ?? throw Invalid("expected a JSON object");
                }
                catch (Exception e) when (e is FormatException || e is ArgumentException)
                {
                    throw Invalid("not JSON");
                }
            }

            private static Trouble Invalid(string details) => new Trouble("INVALID_RESPONSE", details);

            private static int Number(string digits, NumberStyles style)
            {
                bool parsed = int.TryParse(digits, style, CultureInfo.InvariantCulture, out int number);
                if (!parsed || number < 0 || number > MaxBytes)
                    throw Invalid($"expected a status or a length, got {digits}");
                return number;
            }

            /// <summary>Returns the body if it is whole, else null, and moves behind it.</summary>
            private string Body(string text, ref int at, bool ended)
            {
                if (Header("transfer-encoding").Equals("chunked", StringComparison.OrdinalIgnoreCase))
                    return Chunks(text, ref at);
                int start = at;
                if (Header("content-length") != "")
                    at += Number(Header("content-length"), NumberStyles.None);
                else if (Status != 204)
                    at = ended ? text.Length : int.MaxValue;
                return at <= text.Length ? text.Substring(start, at - start) : null;
            }

            private static string Chunks(string text, ref int at)
            {
                var body = new StringBuilder();
                while (true)
                {
                    int line = text.IndexOf("\r\n", at, StringComparison.Ordinal);
                    if (line < 0)
                        return null;
                    int size = Number(text.Substring(at, line - at).Split(';')[0].Trim(), NumberStyles.AllowHexSpecifier);
                    if (size == 0)
                    {
                        at = text.IndexOf("\r\n\r\n", line, StringComparison.Ordinal) + 4; // after the trailers
                        return at < 4 ? null : body.ToString();
                    }
                    at = line + 2 + size + 2;
                    if (at > text.Length)
                        return null;
                    body.Append(text, line + 2, size);
                }
            }
        }

        /// <summary>JSON (RFC 8259), which netstandard2.0 has no reader for. Throws FormatException.</summary>
        internal sealed class Json
        {
            private const int MaxDepth = 100;
            private readonly string _text;
            private int _at;

            private Json(string text) => _text = text;

            public static bool IsNumber(Type type)
                => !type.IsEnum && Type.GetTypeCode(type) >= TypeCode.SByte && Type.GetTypeCode(type) <= TypeCode.Decimal;

            public static string Write(object value) => Write(value, 0);

            private static string Write(object value, int depth)
            {
                if (depth > MaxDepth)
                    throw new FormatException($"more than {MaxDepth} levels");
                if (value == null)
                    return "null";
                if (value is bool truth)
                    return truth ? "true" : "false";
                if (value is string text)
                    return Quoted(text);
                if (value is Attributes members)
                    return Written('{', members.Select(member => Member(member.Key, member.Value, depth)), '}');
                if (value is IDictionary map)
                    return Written('{', map.Keys.Cast<string>().Select(name => Member(name, map[name], depth)), '}');
                if (value is IEnumerable items)
                    return Written('[', items.Cast<object>().Select(item => Write(item, depth + 1)), ']');
                if (!IsNumber(value.GetType()) || !(Math.Abs(Convert.ToDouble(value)) <= double.MaxValue)) // NaN, infinity
                    throw new FormatException($"a {value.GetType()}");
                string format = value is double || value is float ? "R" : null;
                return ((IFormattable)value).ToString(format, CultureInfo.InvariantCulture);
            }

            private static string Written(char open, IEnumerable<string> items, char close)
                => open + string.Join(",", items) + close;

            private static string Member(string name, object value, int depth)
                => Quoted(name) + ":" + Write(value, depth + 1);

            private static string Quoted(string text)
            {
                var json = new StringBuilder("\"");
                foreach (char letter in text)
                {
                    if (letter == '"' || letter == '\\')
                        json.Append('\\').Append(letter);
                    else if (letter < ' ' || char.IsSurrogate(letter))
                        json.Append("\\u").Append(((int)letter).ToString("x4", CultureInfo.InvariantCulture));
                    else
                        json.Append(letter);
                }
                return json.Append('"').ToString();
            }

            /// <summary>Returns dictionaries, lists, strings, longs, doubles, booleans and null.</summary>
            public static object Read(string text)
            {
                var reader = new Json(text);
                object value = reader.Value(0);
                reader.Peek();
                return reader._at == text.Length ? value : throw reader.Unexpected();
            }

            private object Value(int depth)
            {
                if (depth > MaxDepth)
                    throw Unexpected();
                switch (Peek())
                {
                    case '{':
                        var members = new Map();
                        while (HasMore('}', members.Count == 0))
                        {
                            string name = String();
                            Take(':');
                            members[name] = Value(depth + 1);
                        }
                        return members;
                    case '[':
                        var items = new List<object>();
                        while (HasMore(']', items.Count == 0))
                            items.Add(Value(depth + 1));
                        return items;
                    case '"':
                        return String();
                    case 't':
                        return Word("true", true);
                    case 'f':
                        return Word("false", false);
                    case 'n':
                        return Word("null", null);
                    default:
                        return Number();
                }
            }

            /// <summary>Takes what is before the next item and returns true, or takes the closing bracket.</summary>
            private bool HasMore(char closing, bool first)
            {
                if (first)
                    _at++;
                if (Peek() == closing)
                {
                    _at++;
                    return false;
                }
                if (!first)
                    Take(',');
                return true;
            }

            private object Word(string word, object value)
            {
                if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0)
                    throw Unexpected();
                _at += word.Length;
                return value;
            }

            private object Number()
            {
                int start = _at;
                while (_at < _text.Length && "+-.0123456789eE".IndexOf(_text[_at]) >= 0)
                    _at++;
                string number = _text.Substring(start, _at - start);
                if (long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
                    return integer;
                if (double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double real))
                    return real;
                throw Unexpected();
            }

            private string String()
            {
                Take('"');
                var text = new StringBuilder();
                for (char letter = Next(); letter != '"'; letter = Next())
                {
                    if (letter < ' ')
                        throw Unexpected();
                    text.Append(letter == '\\' ? Escaped(Next()) : letter);
                }
                return text.ToString();
            }

            private char Escaped(char letter)
            {
                int place = "\"\\/bfnrt".IndexOf(letter);
                if (place >= 0)
                    return "\"\\/\b\f\n\r\t"[place];
                string digits = _text.Substring(_at, Math.Min(4, _text.Length - _at));
                if (letter != 'u' || digits.Length < 4 || !ushort.TryParse(
                    digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code))
                    throw Unexpected();
                _at += 4;
                return (char)code;
            }

            private char Next() => _at < _text.Length ? _text[_at++] : throw Unexpected();

            /// <summary>The next character that is no space, without taking it; NUL at the end.</summary>
            private char Peek()
            {
                while (_at < _text.Length && " \t\r\n".IndexOf(_text[_at]) >= 0)
                    _at++;
                return _at < _text.Length ? _text[_at] : '\0';
            }

            private void Take(char expected)
            {
                if (Peek() != expected)
                    throw Unexpected();
                _at++;
            }

            private FormatException Unexpected() => new FormatException($"not JSON at character {_at}");
        }
    }

    /// <summary>What the sidecar says of a flag for one user.</summary>
    public sealed class Evaluation
    {
        internal Evaluation()
        {
        }

        /// <summary>The flag's key.</summary>
        public string Flag { get; internal set; }

        /// <summary>The variant's value, or the caller's default.</summary>
        public object Value { get; internal set; }

        /// <summary>The variant's key; empty with an error.</summary>
        public string Variant { get; internal set; } = "";

        /// <summary>Whether the variant is another than the off variant.</summary>
        public bool Active { get; internal set; }

        /// <summary>Why; <c>ERROR</c> with an error.</summary>
        public string Reason { get; internal set; }

        /// <summary>The flag's own metadata, and what else the sidecar says.</summary>
        public IReadOnlyDictionary<string, object> Metadata { get; internal set; } = new Map();

        /// <summary>Why the value is the default: <c>TIMEOUT</c>, for example; else empty.</summary>
        public string Error { get; internal set; } = "";

        /// <summary>The error in words.</summary>
        public string ErrorDetails { get; internal set; } = "";
    }

    /// <summary>Counts since a client was made.</summary>
    public sealed class Stats
    {
        internal Stats()
        {
        }

        /// <summary>All questions.</summary>
        public long Questions { get; internal set; }

        /// <summary>Questions that got their default, by error.</summary>
        public IReadOnlyDictionary<string, long> Defaults { get; internal set; }

        /// <summary>Outcomes that the sidecar took.</summary>
        public long OutcomesSent { get; internal set; }

        /// <summary>Outcomes that were too old or too many.</summary>
        public long OutcomesDropped { get; internal set; }

        /// <summary>Outcomes that the sidecar refused.</summary>
        public long OutcomesRefused { get; internal set; }

        /// <summary>Outcomes still to be sent.</summary>
        public long OutcomesWaiting { get; internal set; }
    }
}
