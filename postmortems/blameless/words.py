"""The words the rules are made of: who is a person, what they did, what judges. Data only, without a rule."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- who ---

PRONOUNS = _words("i he she we you someone somebody anyone anybody nobody everyone everybody whoever")
NOBODY = _words("nobody noone")
_PEOPLE = (
    "engineer developer programmer coder dba admin administrator sysadmin sre devop responder reviewer author "
    "committer contributor maintainer operator intern contractor technician colleague coworker co-worker employee "
    "person individual architect tester analyst consultant designer teammate newcomer junior senior trainee "
    "freelancer on-call oncall on-caller commander owner approver deployer electrician human specialist "
    "expert team crew squad department executive"
)
PERSON_NOUNS = (
    _words(_PEOPLE)
    | {f"{noun}s" for noun in _words(_PEOPLE)}
    | _words("people persons staff personnel ops qa devops devs dev lead-developer")
)
TEAMS = _words("team teams crew squad staff")
# A person only with a word of the right kind before: a release manager, but not a device manager.
TITLES = {
    "manager": _words("release product project incident engineering account change line duty team general our my"),
    "managers": _words("release product project incident engineering account change line duty team our my all"),
    "member": _words("team staff crew squad"),
    "members": _words("team staff crew squad"),
    "lead": _words("tech team technical engineering incident project duty"),
    "leads": _words("tech team technical engineering incident project"),
    "support": _words("customer technical first-line second-line our \0"),  # \0: at the beginning
    "management": _words("our senior upper the \0"),
    "leadership": _words("our senior the \0"),
    "operations": _words("our \0"),
    "engineering": _words("our \0"),
    "user": _words("a the one"),
    "customer": _words("a the one"),
}
# These use what we run, and meet its symptoms: "users failed to log in" is no judgement.
USERS = _words("user customer")
# Programs with the names of people's trades.
MACHINE_QUALIFIERS = _words(
    "kubernetes k8s openshift helm prometheus postgres postgresql mysql etcd kafka redis elastic elasticsearch "
    "flink spark database ternary comparison boolean logical null spread join query automated automatic bot robot "
    "virtual"
)
# Capitalised words that forget, miss and ignore without being anybody.
SOFTWARE = _words(
    "kafka redis postgres postgresql mysql mongodb mongo cassandra elasticsearch kibana logstash grafana "
    "prometheus consul vault nomad terraform ansible puppet chef salt jenkins gitlab github git docker kubernetes "
    "helm istio envoy nginx apache haproxy varnish zookeeper etcd rabbitmq celery airflow spark flink hadoop hive "
    "presto trino snowflake linux windows ubuntu debian android chrome firefox safari java python ruby golang "
    "rust node django rails spring tomcat jetty netty slack teams pagerduty opsgenie datadog sentry splunk "
    "newrelic aws azure google amazon cloudflare fastly akamai oracle salesforce stripe okta auth0 route lambda "
    "dynamo dynamodb aurora kinesis monday tuesday wednesday thursday friday saturday sunday january february "
    "march april may june july august september october november december monitoring alerting traffic replication "
    "production staging"
)

# --- how a sentence hangs together ---

PREPOSITIONS = _words(
    "of for by to from with about in at on via against behind between during under over into onto without within "
    "through near beside than as like after before since until"
)
# Between a person and what is said about where they belong: the person *doing* the deploy.
LINKS = PREPOSITIONS | _words("doing running handling performing working deploying watching assigned responsible paged")
CONJUNCTIONS = _words("and but or then yet so nor")
SUBORDINATORS = _words(
    "because that when while if although though since as whether where which who until after before once unless "
    "so why how what said says found"
)
DETERMINERS = _words("the a an this that these those one some any each every both all another no two three four our my")
AUXILIARIES = _words("had has have was were is are did do does been be having 'd he'd")
ADVERBS = _words(
    "then also never just not again once still even only almost often twice simply first later yesterday today "
    "somehow clearly both all already instead thus therefore soon"
)

# --- what they did ---

IRREGULAR_PARTICIPLES = _words(
    "been had done gone seen known made taken given read run put set kept left lost found caught held told "
    "thought brought built bought sent spent felt got gotten met paid said sold stood understood won written "
    "chosen broken drawn driven begun come cut hit let shut shown spoken split sought foreseen foregone rolled"
)
NOT_A_PARTICIPLE = _words("need feed seed speed embed greed hundred even seven ten open often garden token men women")
# What somebody may leave undone: after "did not", "never", "nobody".
DUTIES = _words(
    "notice catch spot detect cross-check check test verify read follow realise realize think bother look pay ask "
    "tell communicate escalate document update monitor review run inform validate understand consider respond "
    "react acknowledge remember pin watch investigate rotate renew clean double-check appreciate heed warn "
    "mention raise plan prepare account anticipate foresee care configure fix own act finish turn handle practise "
    "practice secure report rehearse listen coordinate"
)
OUGHT_PASSIVES = _words(
    "received paged alerted notified informed told warned able given asked shown contacted allowed trained "
    "offered called woken involved added reached protected stopped forced hit"
)
NARROW_ESCAPES = _words("lost been ended faced gone seen suffered hit had run needed")
# Only a mind does these; what stands before them is a person unless it is known not to be.
SLIPS = _words(
    "forgot forgotten mistyped misread misunderstood overlooked neglected misjudged misremembered mishandled "
    "botched bungled fat-fingered fumbled underestimated hesitated panicked miscommunicated misinterpreted "
    "misdiagnosed misconfigured mislabelled mislabeled disregarded"
)
HARMS = _words("broke crashed caused corrupted wiped ignored bypassed leaked missed skipped ruined hard-coded violated")
HARMLESS_AFTER = {
    "broke": _words("down up into for even off ground glass"),
    "missed": _words("target targets slo sla objective deadline peak meeting goal nothing no opportunity chance"),
    "skipped": _words("nothing no lunch ahead"),
    "ignored": _words("case whitespace nothing no"),
    "caused": _words("no nothing"),
}
HARMED = _words(
    "broken crashed caused corrupted wiped ignored bypassed leaked missed skipped overlooked misconfigured "
    "forgotten mistyped misread misunderstood mishandled botched destroyed neglected mistake error blunder slip "
    "oversight wrong incorrectly wrongly accidentally mistakenly inadvertently incorrect carelessly disabled"
)
ACCIDENTS = _words(
    "accidentally mistakenly inadvertently unintentionally erroneously wrongly incorrectly unwittingly "
    "unknowingly hastily blindly naively improperly prematurely"
)
DOINGS = _words(
    "ran entered typed used picked selected chose pushed deployed merged released shipped committed applied set "
    "wrote uploaded pasted sent gave approved configured executed copied opened clicked dropped deleted restarted "
    "rebooted shut unplugged pulled removed terminated targeted edited cut put made drained restored installed "
    "left rotated signed revoked changed passed introduced took"
)
FAULTY = _words(
    "wrong incorrect faulty buggy invalid untested unreviewed broken bad erroneous vulnerable unsafe flawed"
)
BLUNDERS = _words(
    "mistake mistakes error typo blunder slip-up blooper bug bugs regression leak misjudgement misjudgment"
)
DOWNING = _words("took brought knocked taken")
PLANNED = _words(
    "purpose deliberately intentionally exercise drill game-day planned chaos rehearsal simulated simulation"
)
OWN_FAULTS = _words(
    "fault mistake mistakes error errors oversight blunder carelessness negligence incompetence misjudgement"
)
THEIR_WORK = _words("commit change deploy deployment pr merge patch release code script push update edit")

# --- what judges ---

CONDEMNING = _words(
    "careless carelessly carelessness negligent negligently negligence incompetent incompetence incompetently "
    "reckless recklessly recklessness irresponsible irresponsibly foolish foolishly idiot idiots idiotic moron "
    "clueless stupid stupidly stupidity complacent complacency inattentive inattention sloppiness sloppily "
    "unprofessional laziness thoughtless thoughtlessly lackadaisical ineptitude inept"
)
TERMS_OF_ART = {
    "sloppy": _words("quorum quorums phrase match matching query queries counter hinted"),
    "dumb": _words("terminal pipe pipes proxy client init term switch"),
}
JUDGED = _words(
    "engineer developer operator admin reviewer reviewers team mistake error approach fix workaround shortcut "
    "coding habit review reviews work attitude engineers developers programming practice practices decision "
    "thinking excuse people"
)
LACKED = _words(
    "attention care discipline diligence judgement judgment competence professionalism ownership effort skill"
)
BELITTLING = _words("rookie amateur silly dumb basic elementary beginner's avoidable schoolboy obvious careless novice")
SHORTCOMINGS = _words(
    "slow late asleep distracted inattentive unprepared careless hasty lazy sloppy overconfident impatient "
    "inexperienced guilty unwilling wrong too absent sleeping undisciplined"
)
DISASTERS = _words(
    "outage incident failure loss downtime breakage crash data mess disaster delay error mistake problem"
)
ERROR_MAKERS = _words("human operator user pilot developer engineer admin administrator programmer")
ERROR_WORDS = _words("error errors mistake mistakes failure failures")
ERROR_NOUNS = _words(
    "message messages rate rates log logs code codes page pages budget budgets handling report reports tracking "
    "metric metrics count counts event events response responses reporting dialog"
)
NEGATIONS = _words(
    "not never no nor isn't wasn't aren't neither cannot don't doesn't prevent prevents rather instead beyond "
    "without avoid"
)

# Verbs that do not end in -ed: what may follow a noun that is a subject.
VERBS = (
    SLIPS
    | HARMS
    | DOINGS
    | IRREGULAR_PARTICIPLES
    | _words(
        "should could would might must may can will didn't hadn't wasn't weren't failed knew went came saw gave "
        "took wrote thought began chose fell drew grew lost got left felt needs need"
    )
)
