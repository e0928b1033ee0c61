"""The grammar of the generated corpus: English and Chinese, written side by side.

It is a synchronous context-free grammar (Aho and Ullman, 1969; Chiang, 2007). A line

    event 2: <act> <time> => <time> <act>

rewrites the symbol `event`, with weight 2, in both languages at once: whatever `<act>`
and `<time>` become, the Chinese puts the time first. Words may carry marks: with

    in/1 the/2? park/2 => 在/1 公园/2 里/1?

in–在 and park–公园 are linked for sure (the same digit on both sides), in–里 and
the–公园 possibly (one of the two has a `?`); `，/1+2?` goes with 1 for sure, with 2
possibly. Possible are links of function words that have no counterpart of their own,
to the word they belong to (了 to its verb, the to its noun), and within set phrases
(", but" and ， 但是), as in Och and Ney (2003). So every sentence comes with its
translation and its word alignment. `<act.1>` and `<act.2>` are two acts; words in
braces are filled in for each noun, verb form, subject or topic of the tables.

What a symbol may stand for follows meaning (people read, dogs do not) and agreement
(a or an, -s, measure words). No symbol leads back to itself, so the language is
finite, though large. `attend.data.corpus` draws sentences from it.
"""

from itertools import product

# Lexicon ------------------------------------------------------------------------------

# base form, third person, past, participle, Chinese
VERBS = """
eat eats ate eaten 吃
drink drinks drank - 喝
cook cooks cooked - 做
read reads read - 读
write writes wrote - 写
buy buys bought - 买
find - found found 找到
lose - lost - 弄丢
break - broke broken 弄坏
wash washes washed washed 洗
repair repairs repaired repaired 修理
see - saw - 看见
help helps helped - 帮助
visit visits visited - 看望
chase chases chased chased 追逐
give gives gave - 给
put - put - 放
go goes went - 去
stay stays stayed - 待
sleep sleeps slept - 睡觉
work works worked - 工作
wait waits waited - 等待
play plays played - 玩
sing sings sang - 唱歌
run runs ran - 跑步
like likes liked - 喜欢
live lives - - 住
have has - - 有
want wants wanted - 想
"""
OTHER_USES = {  # of a verb, with names of their own in the tables of phrases
    "buy_food": "buy",
    "umbrella": "buy",
    "hospital": "go",
    "errand": "go",
    "wash_in": "wash",
    "wash_out": "wash",
}
NAMES = {
    "he": {"Tom": "汤姆", "Jerry": "杰瑞", "Peter": "彼得"},
    "she": {"Anna": "安娜", "Mary": "玛丽", "Lily": "莉莉"},
}
# singular, plural, Chinese, measure word, as which subjects (see SUBJECTS), adjectives
PEOPLE = """
boy boys 男孩 个 he,they,one_m,kid,kids child
girl girls 女孩 个 she,they_f,one_f,kid,kids child
man men 男人 个 he,they,one_m adult
woman women 女人 个 she,they_f,one_f adult
teacher teachers 老师 位 he,she,they adult
doctor doctors 医生 位 he,she,they adult
student students 学生 个 he,she,they child
child children 孩子 个 they,kid,kids child
"""
FAMILY = """
father 爸爸 he,one_m
mother 妈妈 she,one_f
friend 朋友 he,she,they,kid
"""
# singular, plural, Chinese, measure word, what may be done with it, adjectives
THINGS = """
book books 书 本 read,buy,tool,find text
letter letters 信 封 read,letter,find letter
apple apples 苹果 个 food,buy fruit
egg eggs 鸡蛋 个 food,cook,buy food
fish fish 鱼 条 food,cook,buy food
pen pens 笔 支 buy,tool,find,break art
key keys 钥匙 把 tool,find key
hat hats 帽子 顶 buy,tool,find art
umbrella umbrellas 雨伞 把 buy,tool,find,break art
cup cups 杯子 个 buy,tool,break,wash_in art
car cars 汽车 辆 wash_out,repair,break art
bike bikes 自行车 辆 buy,wash_out,repair,break,own art
dog dogs 狗 只 animal,wash_out,find,own,hunter pet
cat cats 猫 只 animal,find,own,hunter pet
horse horses 马 匹 animal,wash_out,find,own,horse pet
bird birds 鸟 只 animal,bird bird
"""
ADJECTIVES = {
    "child": "clever 聪明 的, kind 善良 的",
    "adult": "young 年轻 的, old 年老 的, clever 聪明 的, kind 善良 的",
    "text": "new 新, old 旧, interesting 有趣 的",
    "letter": "interesting 有趣 的",
    "food": "big 大, small 小",
    "fruit": "big 大, small 小, red 红",
    "art": "new 新, old 旧, small 小, big 大, red 红色 的, beautiful 漂亮 的",
    "key": "new 新, old 旧, small 小, big 大",
    "pet": "small 小, big 大, beautiful 漂亮 的, clever 聪明 的",
    "bird": "small 小, big 大, beautiful 漂亮 的",
    "nature": "small 小, big 大, beautiful 漂亮 的",
    "building": "small 小, big 大, new 新",
    "size": "small 小, big 大",
}
DRINKS = {"tea": "茶", "water": "水"}
DISHES = {"soup": "汤"}
LIKED = "tea 茶, soup 汤, books 书, apples 苹果, dogs 狗, horses 马, birds 鸟"
POSSESSIVES = {"my": "我", "our": "我们", "his": "他", "her": "她"}
# English words before it, noun, Chinese noun, Chinese word after it, adjectives
PLACES = """
park in,the park 公园 里 nature
garden in,the garden 花园 里 nature
village in,the village 村子 里 nature
kitchen in,the kitchen 厨房 里 building
library in,the library 图书馆 里 building
hospital in,the hospital 医院 里 building
market at,the market 市场 - building
station at,the station 车站 - building
school at school 学校 - -
home at home 家 - -
river near,the river 河 附近 size
tree under,the tree 树 下面 size
table under,the table 桌子 下面 size
on_table on,the table 桌子 上 size
house behind,the house 房子 后面 building
near_station near,the station 车站 附近 building
near_library near,the library 图书馆 附近 building
near_park near,the park 公园 附近 nature
"""
# where what is done
WHERE = {
    "eat drink": "kitchen park garden tree river home school",
    "cook": "kitchen garden home",
    "read": "library park garden tree station home school",
    "buy": "market near_station village near_park",
    "find": "park garden tree river house table station on_table",
    "lose": "park market station river library near_park",
    "wash_in": "kitchen house garden",
    "wash_out": "house river garden",
    "repair": "house garden near_station home",
    "see": "park market station river library near_library",
    "help": "library market hospital village school station",
    "visit": "hospital village home",
    "chase": "park garden river house",
    "put": "on_table kitchen tree house garden",
    "sleep": "garden tree house home",
    "work": "library hospital school market garden village home",
    "wait": "station school tree house near_park near_library hospital",
    "play sing": "park garden river school tree house",
    "run": "park river garden near_park",
    "live": "village river near_station near_library near_park",
    "go": "park garden station",
    "far": "library hospital market village school",
    "pet": "park garden tree river house table",
}
HOW = {
    "slowly": "慢慢地",
    "quickly": "迅速地",
    "carefully": "仔细地",
    "quietly": "安静地",
    "happily": "高兴地",
}
PAST_TIMES = """
yesterday/1 => 昨天/1
last/1 night/1 => 昨晚/1
this/1 morning/1 => 今早/1
last/1 Sunday/2 => 上/1 周日/2
"""
HABIT_TIMES = """
every/1 day/1 => 每天/1
every/1 morning/2 => 每天/1 早上/2
every/1 night/2 => 每天/1 晚上/2
every/1 Sunday/2 => 每/1 周日/2
"""
FUTURE_TIMES = """
tomorrow/1 => 明天/1
tomorrow/1 morning/2 => 明天/1 早上/2
on/1? Sunday/1 => 周日/1
"""
MEANS = """
by/1 bus/2 => 坐/1 公共汽车/2
by/1 train/2 => 坐/1 火车/2
by/1 bike/2 => 骑/1 自行车/2
"""
HOURS = """
hours 1: for/2? an/1 hour/2 => 一/1 个/12? 小时/2
hours 2: for/2? {two}/1 hours/2 => {两}/1 个/12? 小时/2
"""

# Noun phrases -------------------------------------------------------------------------

NOUN_PHRASES = """
they 4: <name_m.1> and/1 <name_m.2> => <name_m.1> 和/1 <name_m.2>
they 6: <name_m> and/1 <name_f> => <name_m> 和/1 <name_f>
they 6: <name_f> and/1 <name_m> => <name_f> 和/1 <name_m>
they 4: <name_m> ,/1 <name.1> and/2 <name.2> => <name_m> 、/1 <name.1> 和/2 <name.2>
they 4: <name_f> ,/1 <name_m> and/2 <name> => <name_f> 、/1 <name_m> 和/2 <name>
they 4: <one_m> and/1 <one_f> => <one_m> 和/1 <one_f>
they 4: <one_f> and/1 <one_m> => <one_f> 和/1 <one_m>
they_f 6: <name_f.1> and/1 <name_f.2> => <name_f.1> 和/1 <name_f.2>
they_f 4: <one_f.1> and/1 <one_f.2> => <one_f.1> 和/1 <one_f.2>
one 1: <one_m> => <one_m>
one 1: <one_f> => <one_f>
kids 12: <name.1> and/1 <name.2> => <name.1> 和/1 <name.2>
owner 6: <one> => <one>
owner 1: he/1 => 他/1
owner 1: she/1 => 她/1
with 1: with/1 <one> => 跟/1 <one> 一起/1?
"""
# a person: {s} symbols of a subject, {p} of several, {one} noun, {many} its plural,
# {名} in Chinese with {个}, adjective <adj_{adj}>
PERSON = """
{s} {kid} {one_} 5: the/2? {one}/2 => {名}/2
{s} 6: the/2? <adj_{adj}> {one}/2 => <adj_{adj}> {名}/2
{s} who 1: this/1 {one}/2 => 这/1 {个}/12? {名}/2
{s} long_who 4: the/2? {one}/2 who/3 <{adj}_does_s> => <{adj}_does_s> 的/23? {名}/2
{s} 4: the/2? <adj_{adj}> {one}/2 who/3 <{adj}_does_s>
     => <{adj}_does_s> 的/23? <adj_{adj}> {名}/2
whom who 4: the/1 {one}/2 => 那/12? {个}/12? {名}/2
whom who 6: the/1 <adj_{adj}> {one}/2 => 那/12? {个}/12? <adj_{adj}> {名}/2
who 2: {a}/1 {one}/2 => 一/1 {个}/12? {名}/2
who 1: {two}/1 {many}/2 => {两}/1 {个}/12? {名}/2
who 1: {two}/1 <adj_{adj}> {many}/2 => {两}/1 {个}/12? <adj_{adj}> {名}/2
long_who 2: {a}/1 {one}/2 who/3 <{adj}_does_s>
     => 一/1 {个}/12? <{adj}_does_s> 的/23? {名}/2
{p} {kids} who whom 3: the/2? {many}/2 => {名}们/2
{p} who whom 3: the/2? <adj_{adj}> {many}/2 => <adj_{adj}> {名}们/2
{p} who 1: these/1 {many}/2 => 这些/1 {名}/2
{p} who 1: some/1 {many}/2 => 一些/1 {名}/2
{p} who 1: many/1 {many}/2 => 很多/1 {名}/2
{p} {kids} 1: the/1 {two}/3 {many}/2 => 那/12? {两}/3 {个}/23? {名}/2
{p} long_who 3: the/2? {many}/2 who/3 <{adj}_does_p> => <{adj}_does_p> 的/23? {名}们/2
{p} 2: the/2? <adj_{adj}> {many}/2 who/3 <{adj}_does_p>
     => <{adj}_does_p> 的/23? <adj_{adj}> {名}们/2
"""
A_PERSON = """
who 2: {a}/1 <adj_{adj}_{a}> {one}/2 => 一/1 {个}/12? <adj_{adj}_{a}> {名}/2
"""
# a thing or animal of a kind {k}: q some of them, d definite, o any, long with a
# clause; s and p after it: one, many
THING = """
q_{k} qs_{k} o_{k} 4: {a}/1 {one}/2 => 一/1 {个}/12? {名}/2
q_{k} qp_{k} o_{k} 2: {two}/1 {many}/2 => {两}/1 {个}/12? {名}/2
q_{k} qp_{k} o_{k} 4: {two}/1 <adj_{adj}> {many}/2 => {两}/1 {个}/12? <adj_{adj}> {名}/2
q_{k} qp_{k} o_{k} 1: some/1 {many}/2 => 一些/1 {名}/2
q_{k} qp_{k} o_{k} 1: some/1 <adj_{adj}> {many}/2 => 一些/1 <adj_{adj}> {名}/2
q_{k} qp_{k} o_{k} 1: many/1 {many}/2 => 很多/1 {名}/2
d_{k} ds_{k} o_{k} 2: the/1 {one}/2 => 那/12? {个}/12? {名}/2
d_{k} ds_{k} o_{k} 5: the/1 <adj_{adj}> {one}/2 => 那/12? {个}/12? <adj_{adj}> {名}/2
d_{k} ds_{k} o_{k} 1: this/1 {one}/2 => 这/1 {个}/12? {名}/2
d_{k} ds_{k} o_{k} 1: that/1 {one}/2 => 那/1 {个}/12? {名}/2
d_{k} dp_{k} o_{k} 1: these/1 {many}/2 => 这些/1 {名}/2
d_{k} dp_{k} o_{k} 0.5: the/1 {two}/3 {many}/2 => 那/12? {两}/3 {个}/23? {名}/2
d_{k} ds_{k} o_{k} 1: <name> 's/1 {one}/2 => <name> 的/1 {名}/2
long_{k} longs_{k} 4: the/1 {one}/2 that/3? <owner> <got_{k}>
     => <owner> <got_{k}> 的/23? 那/12? {个}/12? {名}/2
long_{k} longs_{k} 2: the/1 <adj_{adj}> {one}/2 that/3? <owner> <got_{k}>
     => <owner> <got_{k}> 的/23? 那/12? {个}/12? <adj_{adj}> {名}/2
"""
A_THING = """
q_{k} qs_{k} o_{k} 6: {a}/1 <adj_{adj}_{a}> {one}/2
     => 一/1 {个}/12? <adj_{adj}_{a}> {名}/2
"""
# not for fish, whose plural looks like its singular
THE_THINGS = """
d_{k} dp_{k} o_{k} 2: the/1 {many}/2 => 那些/12? {名}/2
d_{k} dp_{k} o_{k} 1: the/1 <adj_{adj}> {many}/2 => 那些/12? <adj_{adj}> {名}/2
long_{k} longp_{k} 2: the/1 {many}/2 that/3? <owner> <got_{k}>
     => <owner> <got_{k}> 的/23? 那些/12? {名}/2
"""
LISTS = """
o_{k} 80: <q_{of}.1> and/1 <q_{of}.2> => <q_{of}.1> 和/1 <q_{of}.2>
o_{k} 160: <q_{of}.1> ,/1 <q_{of}.2> and/2 <q_{of}.3>
     => <q_{of}.1> 、/1 <q_{of}.2> 和/2 <q_{of}.3>
"""
# what was done before with a thing of a kind: "the key that Anna lost"
GOT = {
    "read": "find",
    "letter": "write",
    "food": "buy",
    "fruit": "buy",
    "cook": "buy",
    "find": "lose",
    "tool": "buy find",
    "animal": "find like",
    "pet": "find",
    "bird": "like",
}
# after "who", in the form {f}: only grown-ups work and repair
WHO_DOES = """
adult_does_{f} child_does_{f} 4: {live} <w_live> => 住/9 <w_live>
adult_does_{f} 4: {work} <w_work> => <w_work> 工作/9
adult_does_{f} child_does_{f} 2: {like} <liked> => 喜欢/9 <liked>
adult_does_{f} child_does_{f} 2: {like} to/9? <hobby> => 喜欢/9 <hobby>
adult_does_{f} child_does_{f} 3: {have} <qs_own> => 有/9 <qs_own>
adult_does_{f} child_does_{f} 1: bought/9 <qs_buy> => 买/9 了/9? <qs_buy>
adult_does_{f} child_does_{f} 1: found/9 <ds_find> => 找到/9 了/9? <ds_find>
adult_does_{f} child_does_{f} 1: lost/9 <ds_tool> => 弄丢/9 了/9? <ds_tool>
adult_does_{f} 1: repaired/9 <ds_repair> => 修理/9 了/9? <ds_repair>
adult_does_{f} child_does_{f} 1: wrote/9 <qs_letter> => 写/9 了/9? <qs_letter>
adult_does_{f} child_does_{f} 1: helped/9 <name> => 帮助/9 了/9? <name>
adult_does_{f} child_does_{f} 1: helped/9 <name> <w_help>
     => <w_help> 帮助/9 了/9? <name>
"""
HOBBIES = """
hobby 2: sing/1 => 唱歌/1
hobby 2: run/1 => 跑步/1
hobby 2: read/1 books/2 => 读/1 书/2
hobby 1: write/1 letters/2 => 写/1 信/2
hobby 1: cook/1 soup/2 => 做/1 汤/2
hobby 1: drink/1 tea/2 => 喝/1 茶/2
hobby 1: sing/1 <w_play> => <w_play> 唱歌/1
hobby 1: run/1 <w_run> => <w_run> 跑步/1
hobby 1: read/1 books/2 <w_read> => <w_read> 读/1 书/2
hobby 1: play/1 <w_play> => <w_play> 玩/1
hobby 1: play/1 <with> => <with> 玩/1
"""

# Verb phrases -------------------------------------------------------------------------
# {v} the English verb in its form, {动} the Chinese verb, {了} there in the past only.

# name, object, manner, with somebody, forms (see FORMS); the place is the name's
ACTS = """
eat eat <o_food> slowly,quickly,happily with spbdx
drink drink <o_drink> slowly,quickly with spbdx
cook cook <o_cook> quickly,carefully,happily with spbdx
buy buy <o_buy> - with spbdx
read read <o_read> slowly,quietly,carefully - sbdx
wash_in wash <o_wash_in> quickly,slowly,carefully with spbdx
wash_out wash <o_wash_out> quickly,slowly,carefully with spbdx
repair repair <o_repair> slowly,quickly,carefully with spbdx
find find <o_find> - - bdx
see see <o_animal> - with dx
see see <who> - - dx
help help <who> - - spbdx
visit visit <who> - with spbdx
"""
# name, manner, with somebody, verb before a duration, alone
ACTIVITIES = """
sleep quietly - 睡 alone
work quietly,carefully,happily with 工作 alone
wait quietly with 等待 -
play happily,quietly with 玩 -
sing happily,quietly with - alone
run quickly,slowly,happily with 跑 alone
"""
ACTIVITY = """
{name}_{f} 3: {v} <how_{how}> => <how_{how}> {动}
at_{name}_{f} 2: {v} <how_{how}> <w_{place}> => <w_{place}> <how_{how}> {动}
"""
# name, verb, forms, weight; names with at_ say where
PHRASES = """
eat eat spbdx 4: {v} <long_food> => {动} {了} <long_food>
cook cook spbdx 4: {v} <long_cook> => {动} {了} <long_cook>
read read sbdx 5: {v} <long_read> => {动} {了} <long_read>
buy buy bdx 4: {v} <long_buy> => {动} {了} <long_buy>
buy buy spbdx 5: {v} <o_buy> for/1 <who> => 给/1 <who> {动} {了} <o_buy>
buy_food buy spbdx 5: {v} <o_food> => {动} {了} <o_food>
at_buy_food buy spbdx 5: {v} <o_food> <w_buy> => <w_buy> {动} {了} <o_food>
write write spbdx 6: {v} <q_letter> => {动} {了} <q_letter>
write write spbdx 6: {v} <q_letter> to/1 <who> => 给/1 <who> {动} {了} <q_letter>
at_write write spbdx 4: {v} <q_letter> <w_read> => <w_read> {动} {了} <q_letter>
wash_out wash spbdx 3: {v} <long_wash_out> => {动} {了} <long_wash_out>
repair repair spbdx 3: {v} <long_repair> => {动} {了} <long_repair>
find find bdx 5: {v} <long_find> => {动} {了} <long_find>
see see dx 4: {v} <long_animal> => {动} {了} <long_animal>
see see dx 4: {v} <long_who> => {动} {了} <long_who>
help help spbdx 6: {v} <long_who> => {动} {了} <long_who>
visit visit spbdx 6: {v} <long_who> => {动} {了} <long_who>
lose lose d 4: {v} <d_tool> => 把/9? <d_tool> {动} {了}
at_lose lose d 4: {v} <d_tool> <w_lose> => <w_lose> 把/9? <d_tool> {动} {了}
break break d 4: {v} <d_break> => 把/9? <d_break> {动} {了}
break break d 3: {v} <long_break> => 把/9? <long_break> {动} {了}
give give spbdx 5: {v} <who> <q_tool> => {动} {了} <who> <q_tool>
give give spbdx 4: {v} <who> <q_food> => {动} {了} <who> <q_food>
give give bdx 5: {v} <d_tool> to/9? <who> => 把/9? <d_tool> {动} {了} <who>
give give bdx 4: {v} <long_tool> to/9? <who> => 把/9? <long_tool> {动} {了} <who>
at_put put bdx 6: {v} <d_tool> <l_put> => 把/9? <d_tool> {动} 在/9? {了} <l_put>
at_put put bdx 4: {v} <long_tool> <l_put> => 把/9? <long_tool> {动} 在/9? {了} <l_put>
go go spbdx 4: {v} to/9? <to_go> => {动} {了} <to_go>
go go spbdx 3: {v} to/9? <to_go> <with> => <with> {动} {了} <to_go>
go go spbdx 4: {v} to/9? <to_far> => {动} {了} <to_far>
go go spbdx 3: {v} to/9? <to_far> <by> => <by> {动} {了} <to_far>
go go spbdx 3: {v} to/9? <to_far> <with> => <with> {动} {了} <to_far>
go go spbdx 2: {v} to/9? <to_far> <with> <by> => <with> <by> {动} {了} <to_far>
errand go spbdx 4: {v} to/9? the/1? market/1 to/2? buy/2 <o_buy>
     => {动} 市场/1 买/2 {了} <o_buy>
errand go spbdx 2: {v} to/9? the/1? library/1 to/2? read/2 <o_read>
     => {动} 图书馆/1 读/2 {了} <o_read>
errand go spbdx 2: {v} to/9? the/1? hospital/1 to/2? visit/2 <who>
     => {动} 医院/1 看望/2 {了} <who>
hospital go spbdx 5: {v} to/9? the/1? hospital/1 => {动} {了} 医院/1
hospital go spbdx 4: {v} to/9? the/1? hospital/1 <by> => <by> {动} {了} 医院/1
hospital go spbdx 4: {v} to/9? the/1? hospital/1 <with> => <with> {动} {了} 医院/1
home go spbdx 5: {v} home/9 => 回家/9 {了}
home go spbdx 3: {v} home/9 <by> => <by> 回家/9 {了}
home go spbdx 3: {v} home/9 <with> => <with> 回家/9 {了}
at_stay stay spbdx 5: {v} at/1 home/2 => {动} 在/1 家/2
at_stay stay spbdx 4: {v} at/1 home/2 <with> => <with> {动} 在/1 家/2
umbrella buy bd 4: {v} an/1 umbrella/2 => {动} {了} 一/1 把/12? 雨伞/2
umbrella buy bd 3: {v} an/1 <adj_art_an> umbrella/2
     => {动} {了} 一/1 把/12? <adj_art_an> 雨伞/2
umbrella buy bd 4: {v} a/1 <adj_art_a> umbrella/2
     => {动} {了} 一/1 把/12? <adj_art_a> 雨伞/2
"""
# what somebody does not do: definite things, no numbers, no 了
UNDONE_PHRASES = """
eat 1: eat/1 <d_food> => 吃/1 <d_food>
drink 1: drink/1 <d_drink> => 喝/1 <d_drink>
read 1: read/1 <d_read> => 读/1 <d_read>
buy 1: buy/1 <d_buy> => 买/1 <d_buy>
wash 1: wash/1 <d_wash_in> => 洗/1 <d_wash_in>
wash 1: wash/1 <d_wash_out> => 洗/1 <d_wash_out>
repair 1: repair/1 <d_repair> => 修理/1 <d_repair>
help 1: help/1 <whom> => 帮助/1 <whom>
visit 1: visit/1 <whom> => 看望/1 <whom>
go 1: go/1 to/1? <to_go> => 去/1 <to_go>
go 2: go/1 to/1? <to_far> => 去/1 <to_far>
home 0.5: go/1 home/1 => 回家/1
work 0.5: work/1 => 工作/1
sleep 0.5: sleep/1 => 睡觉/1
sing 0.5: sing/1 => 唱歌/1
run 0.5: run/1 => 跑步/1
play 1: play/1 <with> => <with> 玩/1
"""
# topic of a state: Chinese, and Chinese after 如果
STATES = {
    "hungry": ("饿", "饿/6 了/6?"),
    "thirsty": ("渴", "渴/6 了/6?"),
    "tired": ("累", "累/6 了/6?"),
    "happy": ("高兴", "很/6? 高兴/6"),
    "busy": ("忙", "很/6? 忙/6"),
    "ill": ("生病", "生病/6 了/6?"),
}
# what follows from a state, and what is done in spite of it; what is not done because
# of it, and what in spite of it
EFFECT = {
    "hungry": "eat cook buy_food",
    "thirsty": "drink",
    "tired": "sleep home stay",
    "happy": "sing play",
    "busy": "work",
    "ill": "stay hospital",
    "rain": "stay home umbrella",
}
CONTRARY = {
    "tired": "work go help cook wash_in wash_out repair visit write",
    "ill": "work go help cook write visit",
    "busy": "visit help go play",
    "rain": "go run play sing visit",
}
UNDONE = {
    "tired": "go visit wash",
    "busy": "go visit play read",
    "ill": "go visit work run",
    "rain": "go visit run wash",
}
UNDONE_CONTRARY = {"hungry": "eat", "thirsty": "drink", "tired": "sleep home"}

# Clauses and sentences ----------------------------------------------------------------

# what is said of a subject with the agreement {n}; {f} its form of the present
PREDICATES = """
past_{n} 6: <act_d> => <act_d>
past_{n} 5: <act_d> <time_d> => <time_d> <act_d>
past_{n} 1.5: did/1? not/1 <undone> => 没有/1 <undone>
past_{n} 1: did/1? not/1 <undone> <time_d> => <time_d> 没有/1 <undone>
past_{n} 1.5: wanted/1 to/1? <act_b> => 想/1 <act_b>
past_{n} 1: <was_{n}> => <was_{n}>
past_{n} 1: <was_{n}> <time_d> => <time_d> <was_{n}>
now_{n} 4: <act_{f}> => <act_{f}>
now_{n} 3: <act_{f}> <time_s> => <time_s> <act_{f}>
now_{n} 3: often/1 <act_{f}> => 经常/1 <act_{f}>
now_{n} 2: {like} <liked> => 喜欢/9 <liked>
now_{n} 2: {like} <whom> => 喜欢/9 <whom>
now_{n} 1: {like} <long_who> => 喜欢/9 <long_who>
now_{n} 1: {like} to/9? <hobby> => 喜欢/9 <hobby>
now_{n} 1: {does}/1? not/1 like/2 <liked> => 不/1 喜欢/2 <liked>
now_{n} 1: {does}/1? not/1 like/2 to/2? <hobby> => 不/1 喜欢/2 <hobby>
now_{n} 1.5: {want} to/9? <act_b> => 想/9 <act_b>
now_{n} 1: {have} <q_own> => 有/9 <q_own>
now_{n} 1: {live} <w_live> => 住/9 <w_live>
now_{n} 1: {is}/1? not/1 <state> => 不/1 <state>
now_{n} 2: <is_{n}> => <is_{n}>
was_{n} 3: {was}/1? ill/1 => 生病/1 了/1?
is_{n} 3: {is}/1? ill/1 => 生病/1 了/1?
"""
BEING = """
was_{t}_{n} was_{n} 3: {was}/1? {t}/1 => 很/1? {态}/1
was_{t}_{n} was_{n} 1: {was}/1? very/2 {t}/1 => 非常/2 {态}/1
is_{n} 3: {is}/1? {t}/1 => 很/1? {态}/1
is_{n} 1: {is}/1? very/2 {t}/1 => 非常/2 {态}/1
"""
FUTURE = """
future 5: will/1 <act_b> => 会/1 <act_b>
future 4: will/1 <act_b> <time_b> => <time_b> 会/1 <act_b>
future 2: can/1 <act_b> => 能/1 <act_b>
future 1: can/1 not/2 <undone> => 不/2 能/1 <undone>
future 1: will/1 not/2 <undone> => 不/2 会/1 <undone>
"""
# for each subject: {S} its symbol, {he} its pronoun, {他} in Chinese
CLAUSES = """
clause 5: <{S}> <past_{n}> => <{S}> <past_{n}>
clause 3: <{S}> <now_{n}> => <{S}> <now_{n}>
clause 2: <{S}> <future> => <{S}> <future>
clause 2: <time_d> <{S}> <act_d> => <time_d> <{S}> <act_d>
clause 1: <time_b> <{S}> will/1 <act_b> => <time_b> <{S}> 会/1 <act_b>
past 3: <{S}> <act_d> => <{S}> <act_d>
past_x 3: <{S}> <act_x> => <{S}> <act_x>
past_a 3: <{S}> <act_a> => <{S}> <act_a>
event 2: <{S}> <act_d> => <{S}> <act_d>
event 1: <{S}> <act_d> <time_d> => <{S}> <time_d> <act_d>
event 2: <time_d> <{S}> <act_d> => <time_d> <{S}> <act_d>
habit 2: <{S}> often/1 <act_{f}> => <{S}> 经常/1 <act_{f}>
habit 1: <{S}> <act_{f}> <time_s> => <{S}> <time_s> <act_{f}>
habit 2: <{S}> {like} <liked> => <{S}> 喜欢/9 <liked>
habit 2: <{S}> {like} to/9? <hobby> => <{S}> 喜欢/9 <hobby>
plan 2: <{S}> will/1 <act_b> => <{S}> 会/1 <act_b>
plan 1: <{S}> {want} to/9? <act_b> => <{S}> 想/9 <act_b>
then 1: <{S}> <act_d.1> ,/1 and/3? then/2 <act_d.2>
     => <{S}> <act_d.1> ，/1+23? 然后/2+13? <act_d.2>
then 1: <time_d> <{S}> <act_d.1> ,/1 and/3? then/2 <act_d.2>
     => <time_d> <{S}> <act_d.1> ，/1+23? 然后/2+13? <act_d.2>
when 2: when/1 <{S}> <arrives_x> ,/2 {he}/7 <there_d>
     => <{S}> <arrives_x> 的/1? 时候/1 ，/2 {他}/7 <there_d>
when 2: when/1 <{S}> <arrives_x> <time_d> ,/2 {he}/7 <there_d>
     => <{S}> <time_d> <arrives_x> 的/1? 时候/1 ，/2 {他}/7 <there_d>
when 1: <{S}> <there_d> when/1 {he}/7 <arrives_x>
     => <{S}> <arrives_x> 的/1? 时候/1 ，/1? {他}/7 <there_d>
when 1: <time_d> <{S}> <there_d> when/1 {he}/7 <arrives_x>
     => <time_d> <{S}> <arrives_x> 的/1? 时候/1 ，/1? {他}/7 <there_d>
when 2: before/1 <{S}> <act_x> ,/2 {he}/7 <act_d>
     => <{S}> <act_x> 之前/1 ，/2 {他}/7 <act_d>
when 1: <{S}> <act_d> before/1 {he}/7 <act_x>
     => <{S}> <act_x> 之前/1 ，/1? {他}/7 <act_d>
when 1: <time_d> <{S}> <act_d> before/1 {he}/7 <act_x>
     => <time_d> <{S}> <act_x> 之前/1 ，/1? {他}/7 <act_d>
when 2: after/1 <{S}> <act_a> ,/2 {he}/7 <act_d>
     => <{S}> <act_a> 之后/1 ，/2 {他}/7 <act_d>
when 1: <{S}> <act_d> after/1 {he}/7 <act_a>
     => <{S}> <act_a> 之后/1 ，/1? {他}/7 <act_d>
when 1: <time_d> <{S}> <act_d> after/1 {he}/7 <act_a>
     => <time_d> <{S}> <act_a> 之后/1 ，/1? {他}/7 <act_d>
because 1: because/1 it/2? rained/2 ,/3 <{S}> <eff_rain>
     => 因为/1 下雨/2 了/2? ，/3 所以/1? <{S}> <eff_rain>
because 1: <{S}> <eff_rain> because/1 it/2? rained/2
     => 因为/1 下雨/2 了/2? ，/1? 所以/1? <{S}> <eff_rain>
although 1: although/1 it/2? rained/2 ,/3 <{S}> <con_rain>
     => 虽然/1 下雨/2 了/2? ，/3 但是/1? <{S}> <con_rain>
although 1: <{S}> <con_rain> although/1 it/2? rained/2
     => 虽然/1 下雨/2 了/2? ，/1? 但是/1? <{S}> <con_rain>
if 1: if/1 it/2? rains/2 ,/3 <{S}> will/4 <eff_rain_b>
     => 如果/1 下雨/2 ，/3 <{S}> 就/14? 会/4 <eff_rain_b>
if 2: if/1 it/2? rains/2 <time_b> ,/3 <{S}> will/4 <eff_rain_b>
     => 如果/1 <time_b> 下雨/2 ，/3 <{S}> 就/14? 会/4 <eff_rain_b>
if 1: <{S}> will/4 <eff_rain_b> if/1 it/2? rains/2 <time_b>
     => 如果/1 <time_b> 下雨/2 ，/1? <{S}> 就/14? 会/4 <eff_rain_b>
if 3: if/1 <{S}> <arrives_{f}> ,/2 {he}/7 will/3 <there_b>
     => 如果/1 <{S}> <arrives_{f}> ，/2 {他}/7 就/13? 会/3 <there_b>
if 1: <{S}> will/3 <there_b> if/1 {he}/7 <arrives_{f}>
     => 如果/1 <{S}> <arrives_{f}> ，/1? {他}/7 就/13? 会/3 <there_b>
if 1: if/1 <{S}> <do_cook_{f}> ,/2 <washes> => 如果/1 <{S}> <do_cook_{f}> ，/2 <washes>
if 1: if/1 <{S}> <do_go_{f}> ,/2 <stays> => 如果/1 <{S}> <do_go_{f}> ，/2 <stays>
washes 1: <{S}> will/1 <wash_b> => <{S}> 就/1? 会/1 <wash_b>
stays 1: <{S}> will/1 <remain_b> => <{S}> 就/1? 会/1 <remain_b>
report 1: <{S}> said/1 that/1? <story> => <{S}> 说/1 <story>
"""
# a pronoun that nothing comes before
PRONOUN_CLAUSES = """
clause 1: {he}/7 <past_{n}> => {他}/7 <past_{n}>
clause 1: {he}/7 <now_{n}> => {他}/7 <now_{n}>
clause 1: {he}/7 <future> => {他}/7 <future>
"""
# and for each state: {t} its topic, {态} in Chinese, {如} after 如果
STATE_CLAUSES = """
because 2: because/1 <{S}> <was_{t}_{n}> ,/2 {he}/7 <eff_{t}>
     => 因为/1 <{S}> <was_{t}_{n}> ，/2 所以/1? {他}/7 <eff_{t}>
because 1: <{S}> <eff_{t}> because/1 {he}/7 <was_{t}_{n}>
     => 因为/1 <{S}> <was_{t}_{n}> ，/1? 所以/1? {他}/7 <eff_{t}>
because 1: <{S}> <was_{t}_{n}> ,/1 so/2 {he}/7 <eff_{t}>
     => <{S}> <was_{t}_{n}> ，/1+2? 所以/2+1? {他}/7 <eff_{t}>
when 0.5: when/1 <{S}> {was}/6? {t}/6 ,/2 {he}/7 <eff_{t}>
     => <{S}> {态}/6 的/1? 时候/1 ，/2 {他}/7 <eff_{t}>
habits 1: when/1 <{S}> {is}/6? {t}/6 ,/2 {he}/7 often/3 <eff_{t}_{f}>
     => <{S}> {态}/6 的/1? 时候/1 ，/2 {他}/7 经常/3 <eff_{t}_{f}>
habits 1: <{S}> often/3 <eff_{t}_{f}> when/1 {he}/7 {is}/6? {t}/6
     => <{S}> {态}/6 的/1? 时候/1 ，/1? {他}/7 经常/3 <eff_{t}_{f}>
if 2: if/1 <{S}> {is}/6? {t}/6 ,/2 {he}/7 will/3 <eff_{t}_b>
     => 如果/1 <{S}> {如} ，/2 {他}/7 就/13? 会/3 <eff_{t}_b>
if 1: <{S}> will/3 <eff_{t}_b> if/1 {he}/7 {is}/6? {t}/6
     => 如果/1 <{S}> {如} ，/1? {他}/7 就/13? 会/3 <eff_{t}_b>
chain 2: when/1 <{S}> <arrives_x> ,/2 {he}/7 <was_{t}_{n}> ,/3 so/4 {he}/8 <there_{t}_d>
     => <{S}> <arrives_x> 的/1? 时候/1 ，/2 {他}/7 <was_{t}_{n}> ，/3+4?
     所以/4+3? {他}/8 <there_{t}_d>
chain 1: because/1 <{S}> <was_{t}_{n}> ,/2 {he}/7 <eff_{t}_d> ,/3 and/5? then/4 <act_d>
     => 因为/1 <{S}> <was_{t}_{n}> ，/2 所以/1? {他}/7 <eff_{t}_d> ，/3+45?
     然后/4+35? <act_d>
"""
TIRING_CLAUSES = """
chain 2: after/1 <{S}> <effort_a> ,/2 {he}/7 <was_{t}_{n}> ,/3 so/4 {he}/8 <eff_{t}_d>
     => <{S}> <effort_a> 之后/1 ，/2 {他}/7 <was_{t}_{n}> ，/3+4?
     所以/4+3? {他}/8 <eff_{t}_d>
"""
CONTRARY_CLAUSES = """
although 2: although/1 <{S}> <was_{t}_{n}> ,/2 {he}/7 <con_{t}>
     => 虽然/1 <{S}> <was_{t}_{n}> ，/2 但是/1? {他}/7 <con_{t}>
although 1: <{S}> <con_{t}> although/1 {he}/7 <was_{t}_{n}>
     => 虽然/1 <{S}> <was_{t}_{n}> ，/1? 但是/1? {他}/7 <con_{t}>
although 1: <{S}> <was_{t}_{n}> ,/1 but/2 {he}/7 <con_{t}>
     => <{S}> <was_{t}_{n}> ，/1+2? 但是/2+1? {他}/7 <con_{t}>
"""
# somebody and, as a pronoun, somebody else: {him} {它}
OTHER_CLAUSES = """
clause 0.3: <{S}> helped/1 {him}/2 => <{S}> 帮助/1 了/1? {它}/2
clause 0.3: <{S}> saw/1 {him}/2 => <{S}> 看见/1 了/1? {它}/2
clause 0.3: <{S}> saw/1 {him}/2 <w_see> => <{S}> <w_see> 看见/1 了/1? {它}/2
clause 0.3: <{S}> helped/1 {him}/2 <time_d> => <{S}> <time_d> 帮助/1 了/1? {它}/2
clause 0.3: <{S}> visited/1 {him}/2 <time_d> => <{S}> <time_d> 看望/1 了/1? {它}/2
clause 0.3: <{S}> {like} {him}/2 => <{S}> 喜欢/9 {它}/2
clause 0.3: <{S}> will/3 visit/1 {him}/2 <time_b> => <{S}> <time_b> 会/3 看望/1 {它}/2
clause 0.3: <{S}> gave/1 {him}/2 <q_tool> => <{S}> 给/1 了/1? {它}/2 <q_tool>
clause 0.3: <{S}> bought/1 <q_buy> for/2 {him}/3 => <{S}> 给/2 {它}/3 买/1 了/1? <q_buy>
"""
OTHER_PRONOUN_CLAUSES = """
clause 0.3: {he}/7 helped/1 {him}/2 => {他}/7 帮助/1 了/1? {它}/2
clause 0.3: {he}/7 saw/1 {him}/2 => {他}/7 看见/1 了/1? {它}/2
clause 0.3: {he}/7 often/3 {help} {him}/2 => {他}/7 经常/3 帮助/9 {它}/2
clause 0.3: {he}/7 {like} {him}/2 => {他}/7 喜欢/9 {它}/2
"""
IT_IS = [("text", "interesting"), ("art", "beautiful"), ("pet", "clever")]
PRONOUNS = {"me": "我", "us": "我们", "him": "他", "her": "她", "them": "他们"}
# those who chase and are chased
GAMES = """
clause 2: <kid.1> chases/1 <kid.2> => <kid.1> 追逐/1 <kid.2>
clause 2: <kid.1> chased/1 <kid.2> => <kid.1> 追逐/1 了/1? <kid.2>
clause 1: <kids> chase/1 <kid> => <kids> 追逐/1 <kid>
clause 1: <kid> chases/1 <o_animal> => <kid> 追逐/1 <o_animal>
clause 1: <kid> chased/1 <o_animal> => <kid> 追逐/1 了/1? <o_animal>
clause 1: <kid.1> chased/1 <kid.2> <time_d> => <kid.1> <time_d> 追逐/1 了/1? <kid.2>
clause 1: <kid.1> chases/1 <kid.2> <time_s> => <kid.1> <time_s> 追逐/1 <kid.2>
clause 1: <kid.1> chases/1 <kid.2> <w_chase> => <kid.1> <w_chase> 追逐/1 <kid.2>
clause 1: <kid.1> is/1? chased/1 by/2 <kid.2> => <kid.1> 被/2 <kid.2> 追逐/1
past 1: <kid.1> chased/1 <kid.2> => <kid.1> 追逐/1 了/1? <kid.2>
past 1: <kid> chased/1 <o_animal> <w_chase> => <kid> <w_chase> 追逐/1 了/1? <o_animal>
past_x 1: <kids> chased/1 <o_animal> => <kids> 追逐/1 <o_animal>
past_x 1: <kids> chased/1 <o_animal> <w_chase> => <kids> <w_chase> 追逐/1 <o_animal>
past 1: <kids> chased/1 <o_animal> <w_chase> => <kids> <w_chase> 追逐/1 了/1? <o_animal>
"""
# an animal in the form {f}, one (s) or many (p) of them
ANIMALS = """
does_hunter_{f} does_horse_{f} does_bird_{f} 2: {sleep} => 睡觉/9 {了}
does_hunter_{f} does_horse_{f} does_bird_{f} 4: {sleep} <w_pet> => <w_pet> 睡觉/9
does_hunter_{f} does_horse_{f} 2: {run} <w_run> => <w_run> 跑步/9
does_hunter_{f} does_horse_{f} does_bird_{f} 2: {drink} water/1 => 喝/9 {了} 水/1
does_hunter_{f} does_horse_{f} does_bird_{f} 2: {drink} water/1 <w_pet>
     => <w_pet> 喝/9 {了} 水/1
does_hunter_{f} does_horse_{f} does_bird_{f} 2: {eat} <o_fruit> => 吃/9 {了} <o_fruit>
does_hunter_{f} 3: {chase} <o_animal> => 追逐/9 {了} <o_animal>
does_hunter_{f} 2: {chase} <o_animal> <w_chase> => <w_chase> 追逐/9 {了} <o_animal>
does_hunter_{f} 2: {chase} <kid> => 追逐/9 {了} <kid>
does_bird_{f} 2: {sing} => 唱歌/9 {了}
does_bird_{f} 3: {sing} <w_play> => <w_play> 唱歌/9
"""
ANIMAL_CLAUSES = """
animal_{f} 2: <{d}_hunter> <does_hunter_{f}> => <{d}_hunter> <does_hunter_{f}>
animal_{f} 1: <{d}_horse> <does_horse_{f}> => <{d}_horse> <does_horse_{f}>
animal_{f} 1: <{d}_bird> <does_bird_{f}> => <{d}_bird> <does_bird_{f}>
"""
# verb, kind of thing, place
# a thing {d}_{k}, what was {done} to it, {at} where
PASSIVES = """
passive 3: <{d}_{k}> {was}/1? {done}/1 by/2 <one> => <{d}_{k}> 被/2 <one> {动}/1 了/1?
passive 2: <{d}_{k}> {was}/1? {done}/1 by/2 <one> <w_{at}>
     => <{d}_{k}> <w_{at}> 被/2 <one> {动}/1 了/1?
passive_t 2: <{d}_{k}> {was}/1? {done}/1 by/2 <one> <time_d>
     => <{d}_{k}> <time_d> 被/2 <one> {动}/1 了/1?
passive_t 1: <{d}_{k}> {was}/1? {done}/1 by/2 <one> <w_{at}> <time_d>
     => <{d}_{k}> <time_d> <w_{at}> 被/2 <one> {动}/1 了/1?
"""
DONE = """
eat food eat
find find find
break break wash_in
wash wash_out wash_out
repair repair repair
"""
QUALITIES = """
thing 2: <{d}_{k}> {is}/1? {adj}/1 => <{d}_{k}> 很/1? {形}/1
thing 1: <{d}_{k}> {is}/1? very/2 {adj}/1 => <{d}_{k}> 非常/2 {形}/1
"""
THERE_IS = """
thing 12: there/1? {is}/1 <{q}_find> <l_find> => <l_find> 有/1 <{q}_find>
"""
# a thing and it: {d} the thing
IT = """
because 4: because/1 <{d}_{k}> was/2? {adj}/2 ,/3 <{S}> {liked}/4 it/5
     => 因为/1 <{d}_{k}> 很/2? {形}/2 ，/3 所以/1? <{S}> {喜欢} 它/5
because 2: <{d}_{k}> was/2? {adj}/2 ,/3 so/1 <{S}> {liked}/4 it/5
     => <{d}_{k}> 很/2? {形}/2 ，/3 所以/1 <{S}> {喜欢} 它/5
because 2: <{d}_{k}> was/2? very/6 {adj}/2 ,/3 so/1 <{S}> {liked}/4 it/5
     => <{d}_{k}> 非常/6 {形}/2 ，/3 所以/1 <{S}> {喜欢} 它/5
"""
# sentences made of whole clauses
SENTENCES = """
past 2: <animal_d> => <animal_d>
past 2: <passive> => <passive>
past_x past_a 2: <animal_x> => <animal_x>
event 1: <passive_t> => <passive_t>
when 2: when/1 <past_x> ,/2 <past> => <past_x> 的/1? 时候/1 ，/2 <past>
when 1: <past> when/1 <past_x> => <past_x> 的/1? 时候/1 ，/1? <past>
when 2: before/1 <past_x> ,/2 <past> => <past_x> 之前/1 ，/2 <past>
when 1: <past> before/1 <past_x> => <past_x> 之前/1 ，/1? <past>
when 2: after/1 <past_a> ,/2 <past> => <past_a> 之后/1 ，/2 <past>
when 1: <past> after/1 <past_a> => <past_a> 之后/1 ，/1? <past>
and 4: <event> ,/1 and/2 <past> => <event> ，/1+2? 而/2+1? <past>
and 2: <event> ,/1 but/2 <past> => <event> ，/1+2? 但是/2+1? <past>
and 1: <habit.1> ,/1 and/2 <habit.2> => <habit.1> ，/1+2? 而/2+1? <habit.2>
and 2: <habit.1> ,/1 but/2 <habit.2> => <habit.1> ，/1+2? 但是/2+1? <habit.2>
and 1: <plan.1> ,/1 and/2 <plan.2> => <plan.1> ，/1+2? 而/2+1? <plan.2>
and 1: <plan.1> ,/1 but/2 <plan.2> => <plan.1> ，/1+2? 但是/2+1? <plan.2>
story 2: <because> => <because>
story 2: <although> => <although>
story 2: <when> => <when>
story 1: <then> => <then>
story 1: <event> => <event>
story 1: <plan> => <plan>
story 0.5: <if> => <if>
story 0.5: <chain> => <chain>
story 3: <long> => <long>
long 2: <because> ,/1 and/2 <past> => <because> ，/1+2? 而/2+1? <past>
long 2: <because> ,/1 but/2 <past> => <because> ，/1+2? 但是/2+1? <past>
long 2: <although> ,/1 and/2 <past> => <although> ，/1+2? 而/2+1? <past>
long 4: <when> ,/1 but/2 <past> => <when> ，/1+2? 但是/2+1? <past>
long 1: <when> ,/1 but/2 <because> => <when> ，/1+2? 但是/2+1? <because>
long 2: <event> ,/1 but/2 <because> => <event> ，/1+2? 但是/2+1? <because>
long 4: <event> ,/1 but/2 <when> => <event> ，/1+2? 但是/2+1? <when>
long 1: <if.1> ,/1 but/2 <if.2> => <if.1> ，/1+2? 但是/2+1? <if.2>
long 0.3: <chain> ,/1 but/2 <past> => <chain> ，/1+2? 但是/2+1? <past>
long 0.3: <chain> ,/1 and/2 <past> => <chain> ，/1+2? 而/2+1? <past>
long 3: <then> ,/1 and/2 <past> => <then> ，/1+2? 而/2+1? <past>
animal 2: <animal_s> => <animal_s>
animal 2: <animal_p> => <animal_p>
animal 2: <animal_d> => <animal_d>
sentence 8: <clause> => <clause>
sentence 1: <thing> => <thing>
sentence 2: <passive> => <passive>
sentence 2: <passive_t> => <passive_t>
sentence 2: <animal> => <animal>
sentence 4: <because> => <because>
sentence 4: <although> => <although>
sentence 5: <when> => <when>
sentence 2: <habits> => <habits>
sentence 3: <if> => <if>
sentence 2: <then> => <then>
sentence 2: <and> => <and>
sentence 3: <chain> => <chain>
sentence 4: <long> => <long>
sentence 2: <report> => <report>
"""


# From the tables to rules -------------------------------------------------------------

# English form of a verb, and its 了: s third person present, p present of the others,
# b after will, can, to, d past, x past inside a clause without 了 (的 时候, 之前)
FORMS = "spbdx"
SUBJECTS = {  # symbol of subjects: pronoun, Chinese, agreement, share of sentences
    "he": ("he", "他", "one", 1.0),
    "she": ("she", "她", "one", 1.0),
    "they": ("they", "他们", "many", 1.0),
    "they_f": ("they", "她们", "many", 0.4),
    "we": ("we", "我们", "many", 0.4),
    "I": ("I", "我", "me", 0.4),
}
AGREEMENT = {  # form of the present, be, do
    "one": ("s", "is", "was", "does"),
    "many": ("p", "are", "were", "do"),
    "me": ("p", "am", "was", "do"),
}


def rows(text):
    """Split a table into rows of words."""
    return [line.split() for line in text.strip().splitlines()]


NUMBERS = [("two", "两"), ("three", "三")]
VERB_OF = {row[0]: row for row in rows(VERBS)}
for other, verb in OTHER_USES.items():
    VERB_OF[other] = VERB_OF[verb]
VERB_OF["home"] = [*VERB_OF["go"][:-1], "回家"]


def article(word):
    """Return a or an, as the word that follows asks."""
    return "an" if word[0] in "aeiou" else "a"


def adjectives(group):
    """Return the group's adjectives as (English, marked Chinese)."""
    words = [entry.split() for entry in ADJECTIVES[group].split(",")]
    return [(word, f"{zh}/1" + " 的/1?" * len(de)) for word, zh, *de in words]


def conjugate(form):
    """Return every verb in a form, marked: {'eat': 'ate/9', ...}."""
    column = {"s": 1, "d": 2, "x": 2}.get(form, 0)
    return {row[0]: f"{row[column]}/9" for row in rows(VERBS)}


class Rules(dict):
    """All rules: {symbol: [(weight, English words, Chinese words, key), ...]}.

    Rules with the same key speak of the same person, thing, place or act: one sentence
    uses a key once, so nobody meets himself and nothing is bought twice.
    """

    def add(self, text, key=None, share=1.0, **words):
        """Add the lines of a table, with the words filled in for its braces."""
        for line in text.strip().replace("\n     ", " ").splitlines():
            for two, number in NUMBERS if "{two}" in line else [("", "")]:
                filled = line.format_map({"two": two, "两": number, **words})
                head, body = filled.split(": ", 1)
                *symbols, weight = head.split()
                sides = [side.split() for side in body.split("=>")]
                for symbol in symbols:
                    rule = (float(weight) * share, *sides, key)
                    self.setdefault(symbol, []).append(rule)

    def choose(self, symbol, forms, names, prefixes="do at"):
        """Let symbol_FORM stand for the named verb phrases that have this form."""
        for name, prefix, form in product(names.split(), prefixes.split(), forms):
            if f"{prefix}_{name}_{form}" in self:
                chinese = VERB_OF[name][4]
                text = f"{symbol}_{form} 1: <{prefix}_{name}_{form}>"
                self.add(f"{text} => {text.split()[-1]}", chinese)


def build():
    """Return the Rules made of all tables; the start symbol is `sentence`."""
    rules = Rules()
    for part in (noun_phrases, circumstances, verb_phrases, people, games_and_things):
        part(rules)
    rules.add(SENTENCES)
    return rules


def noun_phrases(rules):
    """Add people, things, food and drink."""
    rules.add(NOUN_PHRASES)
    rules.add(HOURS, "hours")
    for line in MEANS.strip().splitlines():
        rules.add(f"by 1: {line}", line.split("/")[-2].split()[-1])
    rules.add("I owner 1: I/1 => 我/1", "我")
    rules.add("we owner 1: we/1 => 我们/1", "我们")
    for group in ADJECTIVES:
        for word, chinese in adjectives(group):
            symbols = f"adj_{group} adj_{group}_{article(word)}"
            rules.add(f"{symbols} 1: {word}/1 => {chinese}", word)
    for gender, names in NAMES.items():
        name_ = "name_m" if gender == "he" else "name_f"
        for name, chinese in names.items():
            rules.add(f"{gender} kid 14: {name}/1 => {chinese}/1", chinese)
            rules.add(f"{name_} name who whom one 6: {name}/1 => {chinese}/1", chinese)
    for one, many, person, measure, kinds, group in rows(PEOPLE):
        words = {"one": one, "many": many, "名": person, "个": measure, "adj": group}
        kinds = kinds.split(",")
        words["s"] = " ".join(kind for kind in kinds if kind in ("he", "she"))
        words["p"] = " ".join(kind for kind in kinds if kind.startswith("they"))
        words["kid"] = "kid" if "kid" in kinds else ""
        words["kids"] = "kids" if "kid" in kinds else ""
        alone = [kind for kind in kinds if kind.startswith("one")]
        words["one_"] = " ".join(alone or ["one"])
        rules.add(PERSON, person, a=article(one), **words)
        for a in sorted({article(word) for word, _ in adjectives(group)}):
            rules.add(A_PERSON, person, a=a, **words)
    for noun, chinese, kinds in rows(FAMILY):
        kinds = kinds.split(",")
        symbols = " ".join(kind for kind in kinds if kind != "they")
        for my, mine in POSSESSIVES.items():
            text = f"{my}/1 {noun}/2 => {mine}/1 的/1? {chinese}/2"
            rules.add(f"{symbols} who whom 1: {text}", chinese)
            if "they" in kinds:
                text = f"{my}/1 friends/2 => {mine}/1 的/1? {chinese}们/2"
                rules.add(f"they who whom 2: {text}", chinese)
        text = f"<name> 's/1 {noun}/2 => <name> 的/1 {chinese}/2"
        rules.add(f"{symbols} who whom 2: {text}", chinese)
    for one, many, noun, measure, kinds, group in rows(THINGS):
        words = {"one": one, "many": many, "名": noun, "个": measure, "adj": group}
        for kind in sorted({*kinds.split(","), group}):
            rules.add(THING, noun, a=article(one), k=kind, **words)
            for a in sorted({article(word) for word, _ in adjectives(group)}):
                rules.add(A_THING, noun, a=a, k=kind, **words)
            if one != many:
                rules.add(THE_THINGS, noun, k=kind, **words)
            for my, mine in POSSESSIVES.items():
                text = f"{my}/1 {one}/2 => {mine}/1 的/1? {noun}/2"
                rules.add(f"d_{kind} ds_{kind} o_{kind} 0.5: {text}", noun)
    shares = {"food": 1, "buy": 1, "tool": 1, "find": 0.5, "read": 0.15, "animal": 0.15}
    for kind, share in shares.items():
        rules.add(LISTS, share=share, k=kind, of="tool" if kind == "find" else kind)
    past = conjugate("d")
    for kind in sorted({symbol[2:] for symbol in rules if symbol.startswith("d_")}):
        for lemma in GOT.get(kind, "buy find").split():
            chinese = VERB_OF[lemma][4]
            rules.add(f"got_{kind} 1: {past[lemma]} => {chinese}/9", chinese)
    for noun, chinese in DRINKS.items():
        rules.add(f"o_drink 6: {noun}/1 => {chinese}/1", chinese)
        rules.add(f"d_drink 3: the/1? {noun}/1 => {chinese}/1", chinese)
        cup = f"/2 of/23? {noun}/3 => "
        rules.add(f"o_drink 6: a/1 cup{cup}一/1 杯/2 {chinese}/3", chinese)
        rules.add(f"o_drink 3: {{two}}/1 cups{cup}{{两}}/1 杯/2 {chinese}/3", chinese)
    for noun, chinese in DISHES.items():
        rules.add(f"o_food o_cook 8: {noun}/1 => {chinese}/1", chinese)
        rules.add(f"d_food 3: the/1? {noun}/1 => {chinese}/1", chinese)
    for noun, chinese in (DRINKS | DISHES).items():
        symbols = "o_drink" if noun in DRINKS else "o_food"
        rules.add(f"{symbols} 4: some/1 {noun}/2 => 一些/1 {chinese}/2", chinese)
    for entry in LIKED.split(","):
        noun, chinese = entry.split()
        rules.add(f"liked 1: {noun}/1 => {chinese}/1", chinese)


def circumstances(rules):
    """Add places (<w_...> 在 公园 里, <l_...> without 在, <to_...>), times, manners."""
    places = {row[0]: row[1:] for row in rows(PLACES)}
    for names, keys in WHERE.items():
        for what, key in product(names.split(), keys.split()):
            before, noun, chinese, after, group = places[key]
            preposition, *the = before.split(",")
            inside = preposition in ("in", "at")  # 在 says so itself, or else 附近 …
            at, last = ("在/1", "1?") if inside else ("在/1?", "1")
            after = "" if after == "-" else f" {after}/{last}"
            for adjective in ["", f"<adj_{group}> "][: 1 if group == "-" else 2]:
                english = f"{'the/2? ' * len(the)}{adjective}{noun}/2"
                here = f"{adjective}{chinese}/2{after}"
                weight = 2 if adjective else 3
                with_preposition = f"{weight}: {preposition}/1 {english} =>"
                rules.add(f"w_{what} {with_preposition} {at} {here}", chinese)
                if not after:  # at the station: only the noun is left to link to
                    with_preposition = f"{weight}: {preposition}/2? {english} =>"
                rules.add(f"l_{what} {with_preposition} {here}", chinese)
                text = f"{english} => {adjective}{chinese}/2"
                rules.add(f"to_{what} {weight}: {text}", chinese)
    for form, times in (("d", PAST_TIMES), ("s", HABIT_TIMES), ("b", FUTURE_TIMES)):
        for line in times.strip().splitlines():
            rules.add(f"time_{form} 1: {line}", line)
    for english, chinese in HOW.items():
        rules.add(f"how_{english} 1: {english}/1 => {chinese}/1", english)


def verb_phrases(rules):
    """Add what people do: <act_FORM>, <eff_TOPIC>, <undone> and the rest."""

    def do(symbol, lemma, forms, weight, text, key=None):
        for form in forms:
            words = {"v": conjugate(form)[lemma], "动": f"{VERB_OF[lemma][4]}/9"}
            words["了"] = "了/9?" if form == "d" else ""
            rules.add(f"{symbol}_{form} {weight}: {text}", key, **words)

    def circumstanced(name, lemma, thing, chinese, manners, together, forms):
        w = f"<w_{name}>"
        for manner in manners.split(",") if manners != "-" else []:
            how = f"<how_{manner}>"
            do(f"do_{name}", lemma, forms, 1, f"{{v}} {thing} {how} => {how} {chinese}")
            text = f"{{v}} {thing} {how} {w} => {w} {how} {chinese}"
            do(f"at_{name}", lemma, forms, 1, text)
        do(f"at_{name}", lemma, forms, 4, f"{{v}} {thing} {w} => {w} {chinese}")
        if together == "with":
            text = f"{{v}} {thing} <with> => <with> {chinese}"
            do(f"do_{name}", lemma, forms, 1.5, text)
            text = f"{{v}} {thing} <with> {w} => <with> {w} {chinese}"
            do(f"at_{name}", lemma, forms, 1.5, text)

    for name, lemma, thing, manners, together, forms in rows(ACTS):
        chinese = f"{{动}} {{了}} {thing}"
        do(f"do_{name}", lemma, forms, 6, f"{{v}} {thing} => {chinese}")
        circumstanced(name, lemma, thing, chinese, manners, together, forms)
    for name, manners, together, before_hours, alone in rows(ACTIVITIES):
        # 了 only where nothing but the verb is there, or where it has a duration
        circumstanced(name, name, "", "{动}", manners, together, FORMS)
        if alone == "alone":
            do(f"do_{name}", name, FORMS, 4, "{v} => {动} {了}")
        if before_hours != "-":
            hours, w = f"{before_hours}/9 {{了}} <hours>", f"<w_{name}>"
            do(f"do_{name}", name, "spbd", 3, f"{{v}} <hours> => {hours}")
            do(f"at_{name}", name, "spbd", 2, f"{{v}} {w} <hours> => {w} {hours}")
    for line in PHRASES.strip().replace("\n     ", " ").splitlines():
        head, text = line.split(": ", 1)
        name, lemma, forms, weight = head.split()
        symbol = name if name.startswith("at_") else f"do_{name}"
        place = [noun for noun in ("市场", "图书馆", "医院") if noun in text]
        do(symbol, lemma, forms, weight, text, *place)
    names = "eat drink cook buy read wash_in wash_out repair find see help visit write"
    objects = f"{names} lose break give go"
    everything = f"{objects} errand put home stay sleep work wait play sing run"
    rules.choose("act", FORMS, everything)
    rules.choose("arrives", "x", "go errand home", "do")
    rules.choose("arrives", "sp", "go home", "do")
    rules.choose("there", "d", "see find lose help eat drink read give", "do")
    rules.choose("there", "b", "help eat drink read", "do")
    rules.choose("wash", "b", "wash_in")
    rules.choose("remain", "b", "stay wait")
    for topic, names in EFFECT.items():
        rules.choose(f"eff_{topic}", "spbd", names)
        rules.choose(f"there_{topic}", "d", names, "do")
    for topic, names in CONTRARY.items():
        rules.choose(f"con_{topic}", "d", names)
    # after 之后: 了 where there is an object
    tiring = "cook wash_in wash_out repair visit help write go"
    for symbol, past, bare in (
        ("act", objects, "errand put home stay sleep work wait play sing run"),
        ("effort", tiring, "work run play sing"),
    ):
        rules.choose(f"{symbol}_past", "d", past)
        rules.choose(f"{symbol}_bare", "x", bare)
        rules.add(f"{symbol}_a 3: <{symbol}_past_d> => <{symbol}_past_d>")
        rules.add(f"{symbol}_a 2: <{symbol}_bare_x> => <{symbol}_bare_x>")
    for line in UNDONE_PHRASES.strip().splitlines():
        name, rest = line.split(" ", 1)
        rules.add(f"not_{name} undone {rest}", name)
    for prefix, done, undone in (
        ("eff", EFFECT, UNDONE),
        ("con", CONTRARY, UNDONE_CONTRARY),
    ):
        for topic in [*STATES, "rain"]:
            symbol, did = f"{prefix}_{topic}", f"<{prefix}_{topic}_d>"
            if topic in done:
                rules.add(f"{symbol} 3: {did} => {did}")
                rules.add(f"{symbol} 1: {did} <time_d> => <time_d> {did}")
            for name in undone.get(topic, "").split():
                text = f"did/1? not/1 <not_{name}> => 没有/1 <not_{name}>"
                rules.add(f"{symbol} 0.2: {text}", name)
                text = f"did/1? not/1 <not_{name}> <time_d>"
                text = f"{text} => <time_d> 没有/1 <not_{name}>"
                rules.add(f"{symbol} 0.1: {text}", name)


def people(rules):
    """Add what is said of people: clauses, and sentences of several clauses."""
    rules.add(HOBBIES)
    rules.add(FUTURE)
    for form in "sp":
        rules.add(WHO_DOES, f=form, **conjugate(form))
    for n, (form, is_, was, does) in AGREEMENT.items():
        words = {"n": n, "f": form, "is": is_, "was": was, "does": does}
        words |= conjugate(form)
        rules.add(PREDICATES, **words)
        for topic, (chinese, _) in STATES.items():
            if topic == "ill":
                text = "was_ill_{n} 1: {was}/1? ill/1 => 生病/1 了/1?"
                rules.add(text, **words)
            else:
                rules.add(BEING, **words, **{"t": topic, "态": chinese})
    for topic, (chinese, _) in STATES.items():
        if topic != "ill":  # 没 生病, not 不
            rules.add(f"state 1: {topic}/1 => {chinese}/1")
    for symbol, (pronoun, chinese, n, share) in SUBJECTS.items():
        form, is_, was, does = AGREEMENT[n]
        words = {"S": symbol, "he": pronoun, "他": chinese, "n": n, "f": form}
        words |= {"is": is_, "was": was, "does": does, **conjugate(form)}
        rules.add(CLAUSES, share=share, **words)
        alone = symbol != "they_f"  # a first "they" is 他们
        if alone:
            rules.add(PRONOUN_CLAUSES, share=share, **words)
        for topic, (chinese, after_if) in STATES.items():
            words |= {"t": topic, "态": chinese, "如": after_if}
            rules.add(STATE_CLAUSES, share=share / 4, **words)
            if topic in ("hungry", "thirsty", "tired", "happy"):
                rules.add(TIRING_CLAUSES, share=share / 4, **words)
            if topic in CONTRARY or topic in UNDONE_CONTRARY:
                rules.add(CONTRARY_CLAUSES, share=share / 4, **words)
        for him, chinese in PRONOUNS.items():
            if symbol in ("I", "we") and him in ("me", "us"):
                continue
            words |= {"him": him, "它": chinese}
            rules.add(OTHER_CLAUSES, share=share, **words)
            if alone:
                rules.add(OTHER_PRONOUN_CLAUSES, share=share, **words)
        for kind, word in IT_IS:
            chinese = dict(adjectives(kind))[word].split("/")[0]
            liked = ("read", "读/4 了/4?") if kind == "text" else ("liked", "喜欢/4")
            words |= {"k": kind, "adj": word, "形": chinese}
            words |= {"liked": liked[0], "喜欢": liked[1]}
            for d in ("ds", "longs"):
                rules.add(IT, word, share=share / 24, d=d, **words)


def games_and_things(rules):
    """Add who chases whom, what animals do, what things are and what befalls them."""
    rules.add(GAMES)
    for form in "spdx":
        words = {"f": form, "了": "了/9?" if form == "d" else "", **conjugate(form)}
        rules.add(ANIMALS, **words)
        for d in {"s": ["ds"], "p": ["dp"]}.get(form, ["ds", "dp"]):
            rules.add(ANIMAL_CLAUSES, f=form, d=d)
    for lemma, kind, place in rows(DONE):
        done, chinese = VERB_OF[lemma][3:]
        words = {"done": done, "动": chinese, "k": kind, "at": place}
        for d, was, share in (("ds", "was", 2), ("dp", "were", 1), ("longs", "was", 1)):
            rules.add(PASSIVES, chinese, share=share, d=d, was=was, **words)
    for kind in ("text", "letter", "art", "key", "pet", "bird", "fruit", "food"):
        for word, chinese in adjectives(kind):
            if word in ("red", "new", "old"):
                continue
            chinese = chinese.split("/")[0]
            for d, verbs in (("ds", "is was"), ("dp", "are were"), ("longs", "is was")):
                for is_ in verbs.split():
                    words = {"d": d, "k": kind, "is": is_, "adj": word, "形": chinese}
                    rules.add(QUALITIES, word, **words)
    for q, verbs in (("qs", "is was"), ("qp", "are were")):
        for is_ in verbs.split():
            rules.add(THERE_IS, **{"q": q, "is": is_})
