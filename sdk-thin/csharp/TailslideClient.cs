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
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

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
        private static readonly string[] SidecarErrors =
            { "FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "PARSE_ERROR", "INVALID_CONTEXT" };

        private readonly Uri _url;
        private readonly Uri _proxy;
        private readonly string _headers;
        private readonly double _timeoutMs;
        private readonly double _flushIntervalMs;
        private readonly int _maxOutcomes;
        private readonly Lazy<HttpClient> _http;
        private readonly SemaphoreSlim _sending = new SemaphoreSlim(1); // one sends outcomes at a time

        private readonly object _lock = new object(); // guards all that follows
        private readonly Stack<Socket> _idle = new Stack<Socket>();
        private readonly Dictionary<string, long> _defaults = new Dictionary<string, long>();
        private readonly Dictionary<string, Warning> _warnings = new Dictionary<string, Warning>();
        private readonly Dictionary<string, double> _notBeforeMs = new Dictionary<string, double>(); // after a 429
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
            if (token != null && !Regex.IsMatch(token, @"\A[!-~]+\z"))
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
        public bool IsActive(
            string flag,
            string targetingKey = null,
            IEnumerable<KeyValuePair<string, object>> attributes = null,
            bool defaultValue = false)
            => Now(Ask(flag, targetingKey, attributes, defaultValue, typeof(object), false)).Active;

        /// <summary>As <see cref="IsActive"/>.</summary>
        public async Task<bool> IsActiveAsync(
            string flag,
            string targetingKey = null,
            IEnumerable<KeyValuePair<string, object>> attributes = null,
            bool defaultValue = false)
            => (await Ask(flag, targetingKey, attributes, defaultValue, typeof(object), true).ConfigureAwait(false)).Active;

        /// <summary>The key of the user's variant. Parameters as in <see cref="IsActive"/>.</summary>
        public string Variant(
            string flag, string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes, string defaultValue)
            => VariantOf(Now(Ask(flag, targetingKey, attributes, defaultValue, typeof(object), false)), defaultValue);

        /// <summary>As <see cref="Variant"/>.</summary>
        public async Task<string> VariantAsync(
            string flag, string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes, string defaultValue)
            => VariantOf(
                await Ask(flag, targetingKey, attributes, defaultValue, typeof(object), true).ConfigureAwait(false),
                defaultValue);

        /// <summary>The value of the user's variant. Parameters as in <see cref="IsActive"/>.</summary>
        /// <typeparam name="T">
        /// <c>bool</c>, <c>string</c>, a type of numbers, or <c>Dictionary&lt;string, object&gt;</c>; <c>object</c> takes
        /// any. A type of integers takes 5 and 5.0.
        /// </typeparam>
        public T Value<T>(
            string flag, string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes, T defaultValue)
            => (T)Now(Ask(flag, targetingKey, attributes, defaultValue, typeof(T), false)).Value;

        /// <summary>As <see cref="Value{T}"/>.</summary>
        public async Task<T> ValueAsync<T>(
            string flag, string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes, T defaultValue)
            => (T)(await Ask(flag, targetingKey, attributes, defaultValue, typeof(T), true).ConfigureAwait(false)).Value;

        /// <summary>
        /// All that the sidecar says. Parameters as in <see cref="IsActive"/>; the value has the type of the default, and
        /// any where that is null.
        /// </summary>
        public Evaluation Evaluate(
            string flag, string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes, object defaultValue)
            => Now(Ask(flag, targetingKey, attributes, defaultValue, TypeOf(defaultValue), false));

        /// <summary>As <see cref="Evaluate"/>.</summary>
        public Task<Evaluation> EvaluateAsync(
            string flag, string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes, object defaultValue)
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
            => Guard<object>(
                flag,
                () =>
                {
                    block();
                    return null;
                },
                null,
                failureIfThrown);

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
                Report(flag, failed ? "failure" : "success", TimeSpan.FromTicks((long)((NowMs - began) * TimeSpan.TicksPerMillisecond)));
            }
        }

        /// <summary>As <see cref="Guard{T}"/>, of a task without a result.</summary>
        public Task GuardAsync(string flag, Func<Task> block, Func<Exception, bool> failureIfThrown = null)
            => GuardAsync<object>(
                flag,
                async () =>
                {
                    await block().ConfigureAwait(false);
                    return null;
                },
                null,
                failureIfThrown);

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
                while (_idle.Count > 0)
                    _idle.Pop().Dispose();
            }
            if (_http.IsValueCreated)
                _http.Value.Dispose();
        }

        /// <summary>Counts since the client was made.</summary>
        public Stats Stats()
        {
            lock (_lock)
            {
                return new Stats(
                    _questions, new Dictionary<string, long>(_defaults), _sent, _dropped, _refused, _waiting.Count + _inFlight);
            }
        }

        /// <summary>The address of the sidecar.</summary>
        public override string ToString() => $"TailslideClient({_url.Authority})";

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
            string flag,
            string targetingKey,
            IEnumerable<KeyValuePair<string, object>> attributes,
            object defaultValue,
            Type type,
            bool async)
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
                var metadata = answer.TryGetValue("metadata", out object found)
                    ? (Dictionary<string, object>)found
                    : new Dictionary<string, object>();
                metadata.TryGetValue("active", out object active);
                return new Evaluation(
                    flag, Typed(answer["value"], type), (string)answer["variant"],
                    active is bool ? (bool)active : true.Equals(defaultValue), (string)answer["reason"], metadata, "", "");
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
                return new Evaluation(
                    flag, defaultValue, "", true.Equals(defaultValue), "ERROR", new Dictionary<string, object>(), trouble.Error,
                    trouble.Message);
            }
        }

        private async Task<Dictionary<string, object>> Answer(string path, string question, double deadline, bool async)
        {
            Response response;
            Dictionary<string, object> answer = null;
            try
            {
                response = await Post(path, question, deadline, async).ConfigureAwait(false);
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

        private static string Question(string targetingKey, IEnumerable<KeyValuePair<string, object>> attributes)
        {
            try
            {
                var context = new Dictionary<string, object>();
                if (targetingKey != null)
                    context["targetingKey"] = targetingKey;
                foreach (var attribute in attributes ?? Enumerable.Empty<KeyValuePair<string, object>>())
                {
                    if (attribute.Key != "targetingKey")
                        context[attribute.Key] = attribute.Value;
                }
                return Json.Write(new Dictionary<string, object> { ["context"] = context });
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

        private static Dictionary<string, object> Ofrep(Dictionary<string, object> answer)
        {
            answer.TryGetValue("value", out object value);
            answer.TryGetValue("variant", out object variant);
            answer.TryGetValue("reason", out object reason);
            if (value == null || !(variant is string) || !(reason is string)
                || (answer.TryGetValue("metadata", out object metadata) && !(metadata is Dictionary<string, object>)))
                throw new Trouble("INVALID_RESPONSE", "expected value, variant, reason and metadata");
            return answer;
        }

        private static Trouble SidecarTrouble(Response response)
        {
            object code = null, details = null;
            try
            {
                var answer = response.Json();
                answer.TryGetValue("errorCode", out code);
                answer.TryGetValue("errorDetails", out details);
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

        private static string VariantOf(Evaluation evaluation, string defaultValue)
            => evaluation.Error == "" ? evaluation.Variant : defaultValue;

        private static Type TypeOf(object defaultValue)
            => defaultValue is IEnumerable<KeyValuePair<string, object>>
                ? typeof(Dictionary<string, object>)
                : defaultValue?.GetType() ?? typeof(object);

        private static object Typed(object value, Type type)
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            try
            {
                bool number = value is long || value is double;
                TypeCode code = type.IsEnum ? TypeCode.Object : Type.GetTypeCode(type);
                if (number && code >= TypeCode.Single && code <= TypeCode.Decimal)
                    return Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
                if (number && code >= TypeCode.SByte && code <= TypeCode.UInt64 && Convert.ToDouble(value) % 1 == 0)
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

        private static readonly TimeSpan LongestLatency = TimeSpan.FromDays(1);

        private void Report(string flag, string outcome, TimeSpan? latency)
        {
            long beganMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
            var fields = new Dictionary<string, object> { ["outcome"] = outcome };
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
                    if (reached && NowMs < deadline && MaySend(ofFlag[0].Flag))
                    {
                        try
                        {
                            if (await SendBatch(ofFlag[0].Flag, batch, deadline, async).ConfigureAwait(false))
                                continue;
                        }
                        catch (Exception e)
                        {
                            reached = false; // the other batches would only wait as long
                            lock (_lock)
                                Warn("outcomes could not be sent yet", batch.Count, (e as Trouble)?.Loggable ?? e.GetType().Name);
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
            var response = await Post($"/v1/flags/{Encoded(flag)}/outcomes", body, deadline, async).ConfigureAwait(false);
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
                Warn(again ? "outcomes could not be sent yet" : "outcomes were refused", batch.Count, $"HTTP status {response.Status}");
                return !again;
            }
        }

        private bool MaySend(string flag)
        {
            lock (_lock)
                return !_notBeforeMs.TryGetValue(flag, out double notBefore) || NowMs >= notBefore;
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
        private async Task<Response> Post(string path, string body, double deadline, bool async)
        {
            byte[] content = Encoding.UTF8.GetBytes(body);
            byte[] head = Encoding.ASCII.GetBytes(
                $"POST {path} HTTP/1.1\r\n{_headers}Content-Length: {content.Length}\r\n\r\n");
            byte[] request = head.Concat(content).ToArray();
            Socket kept = Kept();
            if (kept != null)
            {
                try
                {
                    return await Exchange(kept, request, deadline, async).ConfigureAwait(false);
                }
                catch (Stale)
                {
                    // A new connection, then.
                }
            }
            Socket connected = await Connect(deadline, async).ConfigureAwait(false);
            try
            {
                return await Exchange(connected, request, deadline, async).ConfigureAwait(false);
            }
            catch (Stale)
            {
                throw new Trouble("BROKEN", "the connection ended before an answer");
            }
        }

        private Socket Kept()
        {
            lock (_lock)
            {
                while (_idle.Count > 0)
                {
                    Socket socket = _idle.Pop();
                    if (!socket.Poll(0, SelectMode.SelectRead)) // nothing has come since, not even the end
                        return socket;
                    socket.Dispose();
                }
                return null;
            }
        }

        private bool Keep(Socket socket)
        {
            lock (_lock)
            {
                if (_closed || _idle.Count >= KeptConnections)
                    return false;
                _idle.Push(socket);
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
                    socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
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
                return await InTime(lookup, deadline).ConfigureAwait(false);
            }
            catch (SocketException e)
            {
                throw new Trouble("REFUSED", $"could not look up {_url.DnsSafeHost}: {e.Message}");
            }
        }

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

        /// <summary>The task's result, or a trouble at the deadline; the caller then closes the socket, which ends the task.</summary>
        private static async Task<T> InTime<T>(Task<T> task, double deadline)
        {
            await InTime((Task)task, deadline).ConfigureAwait(false);
            return task.Result;
        }

        private static async Task InTime(Task task, double deadline)
        {
            if (!task.IsCompleted)
            {
                using (var done = new CancellationTokenSource())
                {
                    var alarm = Task.Delay((int)Math.Max(0, Math.Ceiling(deadline - NowMs)), done.Token);
                    await Task.WhenAny(task, alarm).ConfigureAwait(false);
                    done.Cancel();
                }
            }
            if (!task.IsCompleted)
            {
                _ = task.ContinueWith(late => late.Exception, TaskContinuationOptions.OnlyOnFaulted);
                throw TimedOut();
            }
            await task.ConfigureAwait(false);
        }

        /// <summary>Keeps the connection afterwards if it can be used again, else closes it.</summary>
        private async Task<Response> Exchange(Socket socket, byte[] request, double deadline, bool async)
        {
            int length = 0;
            bool kept = false;
            try
            {
                for (int sent = 0; sent < request.Length;)
                    sent += await Transfer(socket, new ArraySegment<byte>(request, sent, request.Length - sent), true, deadline, async)
                        .ConfigureAwait(false);
                var bytes = new byte[4096];
                while (true)
                {
                    if (length == bytes.Length)
                        Array.Resize(ref bytes, 2 * length);
                    int got = await Transfer(
                        socket, new ArraySegment<byte>(bytes, length, bytes.Length - length), false, deadline, async)
                        .ConfigureAwait(false);
                    length += got;
                    var response = length == 0 ? null : Response.Read(bytes, length, got == 0);
                    if (response != null)
                    {
                        kept = response.Keeps && got > 0 && Keep(socket);
                        return response;
                    }
                    if (got == 0)
                        throw length == 0 ? new Stale() : (Exception)new Trouble("BROKEN", "the connection ended before a whole answer");
                }
            }
            catch (SocketException e)
            {
                throw length == 0 ? new Stale() : (Exception)new Trouble("BROKEN", e.Message);
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
                var transfer = send ? socket.SendAsync(bytes, SocketFlags.None) : socket.ReceiveAsync(bytes, SocketFlags.None);
                return await InTime(transfer, deadline).ConfigureAwait(false);
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
            public Dictionary<string, object> Fields;
            public double ReportedMs;
        }

        private sealed class Warning
        {
            public int Count;
            public double DueMs;
            public string Latest = "";
        }

        /// <summary>The connection ended before the first byte of an answer.</summary>
        private sealed class Stale : Exception
        {
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
        }

        private sealed class Response
        {
            private const int MaxBytes = 1 << 20;
            private static readonly Encoding Utf8 = new UTF8Encoding(false, true);
            private static readonly Encoding Latin1 = Encoding.GetEncoding("iso-8859-1");
            private readonly Dictionary<string, string> _headers =
                new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            private byte[] _body;

            public int Status { get; private set; }

            /// <summary>Whether the connection can be used again.</summary>
            public bool Keeps { get; private set; }

            /// <summary>Returns the response in the bytes, or null if more are to come.</summary>
            public static Response Read(byte[] bytes, int length, bool ended)
            {
                if (length > MaxBytes)
                    throw Invalid($"over {MaxBytes} bytes");
                string start = Latin1.GetString(bytes, 0, Math.Min(length, 7));
                if (!"HTTP/1.".StartsWith(start, StringComparison.Ordinal))
                    throw Invalid("not HTTP");
                string text = Latin1.GetString(bytes, 0, length);
                int headLength = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
                if (headLength < 4)
                    return null;
                string[] lines = text.Substring(0, headLength - 4).Split(new[] { "\r\n" }, StringSplitOptions.None);
                Match match = Regex.Match(lines[0], @"\AHTTP/1\.([01]) ([2-5]\d\d)( |\z)");
                if (!match.Success)
                    throw Invalid("not HTTP");
                var response = new Response { Status = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) };
                foreach (string line in lines.Skip(1))
                {
                    int colon = line.IndexOf(':');
                    if (colon < 0)
                        throw Invalid("not HTTP");
                    response._headers[line.Substring(0, colon)] = line.Substring(colon + 1).Trim();
                }
                int end = response.ReadBody(bytes, text, headLength, ended);
                response.Keeps = end == length && match.Groups[1].Value == "1"
                    && response.Header("connection").IndexOf("close", StringComparison.OrdinalIgnoreCase) < 0;
                return response._body == null ? null : response;
            }

            public string Header(string name) => _headers.TryGetValue(name, out string value) ? value : "";

            public Dictionary<string, object> Json()
            {
                try
                {
                    return TailslideClient.Json.Read(Utf8.GetString(_body)) as Dictionary<string, object>
                        ?? throw Invalid("expected a JSON object");
                }
                catch (Exception e) when (e is FormatException || e is ArgumentException)
                {
                    throw Invalid("not JSON");
                }
            }

            private static Trouble Invalid(string details) => new Trouble("INVALID_RESPONSE", details);

            /// <summary>Sets the body if it is whole, and returns where it ends.</summary>
            private int ReadBody(byte[] bytes, string text, int start, bool ended)
            {
                if (Header("transfer-encoding").IndexOf("chunked", StringComparison.OrdinalIgnoreCase) >= 0)
                    return ReadChunks(bytes, text, start);
                int size = text.Length - start;
                string declared = Header("content-length");
                if (Status == 204)
                    size = 0;
                else if (declared == "")
                    size = ended ? size : int.MaxValue;
                else if (!int.TryParse(declared, NumberStyles.None, CultureInfo.InvariantCulture, out size) || size > MaxBytes)
                    throw Invalid($"a length of {declared} bytes");
                if (text.Length - start >= size)
                    _body = bytes.Skip(start).Take(size).ToArray();
                return start + Math.Min(size, MaxBytes);
            }

            private int ReadChunks(byte[] bytes, string text, int start)
            {
                var body = new List<byte>();
                while (true)
                {
                    int line = text.IndexOf("\r\n", start, StringComparison.Ordinal);
                    if (line < 0)
                        return start;
                    string digits = Regex.Match(text.Substring(start, line - start), @"\A[0-9a-fA-F]{1,6}(?![0-9a-fA-F])").Value;
                    if (digits == "")
                        throw Invalid("not HTTP");
                    int size = Convert.ToInt32(digits, 16);
                    start = line + 2;
                    if (size == 0)
                    {
                        // After the last chunk come trailers, and an empty line.
                        int end = text.IndexOf("\r\n\r\n", line, StringComparison.Ordinal);
                        if (end >= 0)
                            _body = body.ToArray();
                        return end + 4;
                    }
                    if (text.Length < start + size + 2)
                        return start;
                    if (text[start + size] != '\r' || text[start + size + 1] != '\n')
                        throw Invalid("not HTTP");
                    body.AddRange(new ArraySegment<byte>(bytes, start, size));
                    start += size + 2;
                }
            }
        }

        /// <summary>JSON (RFC 8259), which netstandard2.0 has no reader for. Throws FormatException.</summary>
        internal sealed class Json
        {
            private const int MaxDepth = 100;
            private static readonly Regex Number = new Regex(@"\G-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?");
            private readonly string _text;
            private int _at;

            private Json(string text) => _text = text;

            /// <summary>Returns dictionaries, lists, strings, longs, doubles, booleans and null.</summary>
            public static object Read(string text)
            {
                var reader = new Json(text);
                object value = reader.Value(0);
                if (reader.Peek() != '\0' || reader._at < text.Length)
                    throw reader.Unexpected();
                return value;
            }

            public static string Write(object value)
            {
                var json = new StringBuilder();
                Write(value, json, 0);
                return json.ToString();
            }

            private static void Write(object value, StringBuilder json, int depth)
            {
                if (depth > MaxDepth)
                    throw new FormatException($"more than {MaxDepth} levels");
                if (value == null)
                    json.Append("null");
                else if (value is bool)
                    json.Append((bool)value ? "true" : "false");
                else if (value is string)
                    Quote((string)value, json);
                else if (value is double || value is float)
                    json.Append(Finite(Convert.ToDouble(value), (IFormattable)value));
                else if (!(value is Enum) && Type.GetTypeCode(value.GetType()) >= TypeCode.SByte && Type.GetTypeCode(value.GetType()) <= TypeCode.Decimal)
                    json.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
                else if (value is IEnumerable<KeyValuePair<string, object>>)
                    Write('{', (IEnumerable<KeyValuePair<string, object>>)value, '}', json, member => WriteMember(member.Key, member.Value, json, depth));
                else if (value is IDictionary)
                    Write('{', ((IDictionary)value).Keys.Cast<string>(), '}', json, name => WriteMember(name, ((IDictionary)value)[name], json, depth));
                else if (value is IEnumerable)
                    Write('[', ((IEnumerable)value).Cast<object>(), ']', json, item => Write(item, json, depth + 1));
                else
                    throw new FormatException($"a {value.GetType()}");
            }

            private static void Write<T>(char open, IEnumerable<T> items, char close, StringBuilder json, Action<T> write)
            {
                json.Append(open);
                bool first = true;
                foreach (T item in items)
                {
                    if (!first)
                        json.Append(',');
                    first = false;
                    write(item);
                }
                json.Append(close);
            }

            private static void WriteMember(string name, object value, StringBuilder json, int depth)
            {
                Quote(name, json);
                json.Append(':');
                Write(value, json, depth + 1);
            }

            private static string Finite(double number, IFormattable written)
            {
                if (double.IsNaN(number) || double.IsInfinity(number))
                    throw new FormatException($"the number {number}");
                return written.ToString("R", CultureInfo.InvariantCulture);
            }

            private static void Quote(string text, StringBuilder json)
            {
                json.Append('"');
                foreach (char letter in text)
                {
                    if (letter == '"' || letter == '\\')
                        json.Append('\\').Append(letter);
                    else if (letter < ' ' || char.IsSurrogate(letter))
                        json.Append("\\u").Append(((int)letter).ToString("x4", CultureInfo.InvariantCulture));
                    else
                        json.Append(letter);
                }
                json.Append('"');
            }

            private object Value(int depth)
            {
                if (depth > MaxDepth)
                    throw Unexpected();
                switch (Peek())
                {
                    case '{':
                        return Object(depth);
                    case '[':
                        return Array(depth);
                    case '"':
                        return String();
                    case 't':
                        return Word("true", true);
                    case 'f':
                        return Word("false", false);
                    case 'n':
                        return Word("null", null);
                    default:
                        return ReadNumber();
                }
            }

            private Dictionary<string, object> Object(int depth)
            {
                var members = new Dictionary<string, object>();
                Take('{');
                while (!Leaves('}', members.Count == 0))
                {
                    if (Peek() != '"')
                        throw Unexpected();
                    string name = String();
                    Take(':');
                    members[name] = Value(depth + 1);
                }
                return members;
            }

            private List<object> Array(int depth)
            {
                var items = new List<object>();
                Take('[');
                while (!Leaves(']', items.Count == 0))
                    items.Add(Value(depth + 1));
                return items;
            }

            /// <summary>Takes the closing bracket and returns true, or the comma before another item and returns false.</summary>
            private bool Leaves(char bracket, bool first)
            {
                if (Peek() == bracket)
                {
                    _at++;
                    return true;
                }
                if (!first)
                    Take(',');
                return false;
            }

            private object Word(string word, object value)
            {
                if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0)
                    throw Unexpected();
                _at += word.Length;
                return value;
            }

            private object ReadNumber()
            {
                Match match = Number.Match(_text, _at);
                if (!match.Success)
                    throw Unexpected();
                _at += match.Length;
                bool whole = !match.Groups[1].Success && !match.Groups[2].Success;
                if (whole && long.TryParse(match.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
                    return integer;
                if (!double.TryParse(match.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                    || double.IsInfinity(number))
                    throw Unexpected();
                return number;
            }

            private string String()
            {
                var text = new StringBuilder();
                _at++;
                while (true)
                {
                    char letter = Next();
                    if (letter == '"')
                        return text.ToString();
                    if (letter < ' ')
                        throw Unexpected();
                    text.Append(letter == '\\' ? Escaped(Next()) : letter);
                }
            }

            private char Escaped(char letter)
            {
                int place = "\"\\/bfnrt".IndexOf(letter);
                if (place >= 0)
                    return "\"\\/\b\f\n\r\t"[place];
                if (letter != 'u' || _at + 4 > _text.Length || !ushort.TryParse(
                    _text.Substring(_at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code))
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
        internal Evaluation(
            string flag, object value, string variant, bool active, string reason,
            IReadOnlyDictionary<string, object> metadata, string error, string errorDetails)
        {
            Flag = flag;
            Value = value;
            Variant = variant;
            Active = active;
            Reason = reason;
            Metadata = metadata;
            Error = error;
            ErrorDetails = errorDetails;
        }

        /// <summary>The flag's key.</summary>
        public string Flag { get; }

        /// <summary>The variant's value, or the caller's default.</summary>
        public object Value { get; }

        /// <summary>The variant's key; empty with an error.</summary>
        public string Variant { get; }

        /// <summary>Whether the variant is another than the off variant.</summary>
        public bool Active { get; }

        /// <summary>Why; <c>ERROR</c> with an error.</summary>
        public string Reason { get; }

        /// <summary>The flag's own metadata, and what else the sidecar says.</summary>
        public IReadOnlyDictionary<string, object> Metadata { get; }

        /// <summary>Why the value is the default: <c>TIMEOUT</c>, for example; else empty.</summary>
        public string Error { get; }

        /// <summary>The error in words.</summary>
        public string ErrorDetails { get; }
    }

    /// <summary>Counts since a client was made.</summary>
    public sealed class Stats
    {
        internal Stats(
            long questions, IReadOnlyDictionary<string, long> defaults, long sent, long dropped, long refused, long waiting)
        {
            Questions = questions;
            Defaults = defaults;
            OutcomesSent = sent;
            OutcomesDropped = dropped;
            OutcomesRefused = refused;
            OutcomesWaiting = waiting;
        }

        /// <summary>All questions.</summary>
        public long Questions { get; }

        /// <summary>Questions that got their default, by error.</summary>
        public IReadOnlyDictionary<string, long> Defaults { get; }

        /// <summary>Outcomes that the sidecar took.</summary>
        public long OutcomesSent { get; }

        /// <summary>Outcomes that were too old or too many.</summary>
        public long OutcomesDropped { get; }

        /// <summary>Outcomes that the sidecar refused.</summary>
        public long OutcomesRefused { get; }

        /// <summary>Outcomes still to be sent.</summary>
        public long OutcomesWaiting { get; }
    }
}
